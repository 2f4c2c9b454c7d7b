"""Checks that the sparse weights of linear layers share."""

from __future__ import annotations

from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from sparsegnn._csr_checks import check_csr_tensors
from sparsegnn.graph import CsrTensors


class _HasPattern(Protocol):
    @property
    def csr(self) -> CsrTensors: ...


def check_dense(weight: Any) -> None:
    """Raises unless `weight` is a floating matrix."""
    if not isinstance(weight, Tensor):
        raise TypeError(f"weight must be a floating matrix, got {type(weight).__name__}.")
    if weight.dim() != 2 or not weight.is_floating_point():
        raise ValueError(
            f"weight must be a floating matrix [out, in], got {weight.dtype} of shape "
            f"{list(weight.shape)}."
        )


def kept_entries(weight: Tensor, mask: Any) -> Tensor:
    """`mask`, checked; by default the non-zero entries of `weight`."""
    keep = weight.detach().ne(0) if mask is None else mask
    if not isinstance(keep, Tensor):
        raise TypeError(f"mask must be bool, got {type(keep).__name__}.")
    if keep.dtype != torch.bool or keep.shape != weight.shape:
        raise ValueError(
            f"mask must be bool of shape {list(weight.shape)}, got {keep.dtype} of shape "
            f"{list(keep.shape)}."
        )
    return keep


def check_values(values: Any, device: torch.device | None = None) -> None:
    """Raises unless `values` is a floating tensor, on `device` where one is given."""
    if not isinstance(values, Tensor):
        raise TypeError(f"values must be a tensor, got {type(values).__name__}.")
    if not values.is_floating_point():
        raise TypeError(f"values must be floating point, got {values.dtype}.")
    if device is not None and values.device != device:
        raise ValueError(
            f"values must be on the device of the pattern, {device}, got {values.device}."
        )


def check_pattern_state(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Indices of a state dict are checked before any is copied; torch compares the shapes."""
    own = cast(_HasPattern, module).csr
    loaded = CsrTensors(
        *(
            None if tensor is None else state.get(prefix + name, tensor)
            for name, tensor in own._asdict().items()
        )  # type: ignore[arg-type]
    )
    if _shapes(own) == _shapes(loaded):
        check_csr_tensors(loaded)


def _shapes(csr: CsrTensors) -> list[torch.Size | None]:
    return [None if tensor is None else tensor.shape for tensor in csr]


def check_positions(index: Any, bound: int, name: str, device: torch.device) -> None:
    """Raises unless `index` is an ascending int64 vector on `device` within [0, bound)."""
    if not isinstance(index, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(index).__name__}.")
    if index.dtype != torch.int64 or index.dim() != 1:
        raise ValueError(
            f"{name} must be an int64 vector, got {index.dtype} of shape {list(index.shape)}."
        )
    if index.device != device:
        raise ValueError(f"{name} must be on the device of values, {device}, got {index.device}.")
    wrong = ((index < 0) | (index >= bound)).nonzero()
    if wrong.numel():
        place = int(wrong[0])
        raise ValueError(
            f"{name} must lie in [0, {bound}), got {int(index[place])} at position {place}."
        )
    if not bool((index.diff() > 0).all()):
        raise ValueError(f"{name} must ascend, got a position that does not.")
