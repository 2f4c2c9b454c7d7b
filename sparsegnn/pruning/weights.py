"""The surviving entries of a maskable parameter, held compactly."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

from sparsegnn.nn.kept_weight import scatter

_WIDE = 32


@dataclass(frozen=True)
class WeightSlots:
    """Where the surviving entries of one parameter sit.

    A matrix ``[out, in]`` is stored as ``[in, out]`` when it is at least 32 rows wide, so that the
    transpose that sparse features are multiplied by is contiguous; narrower ones are stored as
    they are, because dense products with a narrow transposed operand are several times slower.

    Shapes:
        - **index** int64 ``[K]``, ascending positions in storage order, or None when all
          entries survive.
    """

    name: str
    shape: torch.Size
    index: Tensor | None = None

    @property
    def count(self) -> int:
        """Number of surviving entries K."""
        return self.total if self.index is None else self.index.numel()

    @property
    def total(self) -> int:
        """Number of entries of the dense parameter."""
        return self.shape.numel()

    def gather(self, dense: Tensor) -> Tensor:
        """Copy the surviving entries of ``dense`` (the parameter's shape) into ``[K]``."""
        flat = self._stored(dense).reshape(-1)
        return flat.clone() if self.index is None else flat.index_select(0, self.index)

    def expand(self, values: Tensor) -> Tensor:
        """The dense parameter with ``values`` ``[K]`` in place and 0 elsewhere; differentiable."""
        flat = values if self.index is None else scatter(values, self.index, self.total)
        return self._stored(flat.view(self._stored_shape()))

    def narrow(self, keep: Tensor) -> WeightSlots:
        """The slots left when only ``keep`` (bool ``[K]``) of the survivors stay."""
        if bool(keep.all()):
            return self
        kept = keep.nonzero().squeeze(1)
        index = kept if self.index is None else self.index.index_select(0, kept)
        return WeightSlots(self.name, self.shape, index)

    def mask(self) -> Tensor:
        """Survivors as bool of the parameter's shape, contiguous on the CPU."""
        flat = torch.zeros(self.total, dtype=torch.bool)
        if self.index is None:
            flat.fill_(True)
        else:
            flat[self.index.cpu()] = True
        return self._stored(flat.view(self._stored_shape())).contiguous()

    @property
    def _is_transposed(self) -> bool:
        return len(self.shape) == 2 and self.shape[0] >= _WIDE

    def _stored(self, dense: Tensor) -> Tensor:
        return dense.t() if self._is_transposed else dense

    def _stored_shape(self) -> torch.Size:
        return torch.Size(reversed(self.shape)) if self._is_transposed else self.shape


def maskable_slots(model: nn.Module, pattern: str) -> list[WeightSlots]:
    """Full slots of every parameter whose name matches ``pattern``, in state-dict order.

    Raises:
        ValueError: if no parameter matches.
    """
    found = [
        WeightSlots(name, parameter.shape)
        for name, parameter in model.named_parameters()
        if fnmatchcase(name, pattern)
    ]
    if not found:
        names = ", ".join(name for name, _ in model.named_parameters())
        raise ValueError(f"maskable must match a parameter name, got {pattern!r} for: {names}")
    return found
