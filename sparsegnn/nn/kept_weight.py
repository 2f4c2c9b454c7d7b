"""The kept entries of a weight as one trainable vector."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sparsegnn._weight_checks import check_dense, kept_entries


class KeptWeight(nn.Module):
    """Kept entries of a matrix `[out_features, in_features]`: pruned ones have no place to be.

    Attributes:
        values: Parameter `[K]`, in row-major order.
        index: int64 `[K]`, their ascending positions in the flattened matrix.
        shape: (out_features, in_features).
    """

    index: Tensor

    def __init__(self, weight: Tensor, keep: Tensor) -> None:
        super().__init__()
        check_dense(weight)
        index = kept_entries(weight, keep).reshape(-1).nonzero().squeeze(1)
        self.shape = (weight.shape[0], weight.shape[1])
        self.values = nn.Parameter(weight.detach().reshape(-1)[index])
        self.register_buffer("index", index)
        self.register_load_state_dict_pre_hook(_check_index)  # type: ignore[no-untyped-call]

    @property
    def total(self) -> int:
        """Number of entries, kept or not."""
        return self.shape[0] * self.shape[1]

    def to_dense(self) -> Tensor:
        """Dense `[out_features, in_features]`, 0 where pruned; differentiable in the values."""
        return scatter(self.values, self.index, self.total).view(self.shape)

    def extra_repr(self) -> str:
        """Shape and number of kept entries."""
        return f"shape={list(self.shape)}, kept={self.values.numel()}"


def scatter(values: Tensor, index: Tensor, size: int, taken: Tensor | None = None) -> Tensor:
    """Zeros `[size]` with `values[taken]`, by default all, at unique positions `index`.

    The derivative is one gather. The composition of `zeros` and `scatter` takes three times as
    long, because its derivative is the general `gather`.
    """
    result: Tensor = _Scatter.apply(values, index, size, taken)  # type: ignore[no-untyped-call]
    return result


def take(values: Tensor, index: Tensor) -> Tensor:
    """`values[index]` for unique positions; the derivative is a copy, not a sum."""
    result: Tensor = _Take.apply(values, index)  # type: ignore[no-untyped-call]
    return result


class _Scatter(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, index: Tensor, size: int, taken: Tensor | None) -> Tensor:
        ctx.save_for_backward(index, taken)
        ctx.total = values.numel()
        given = values if taken is None else values.index_select(0, taken)
        return values.new_zeros(size).scatter_(0, index, given)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        index, taken = ctx.saved_tensors
        found = grad.reshape(-1).index_select(0, index)
        if taken is not None:
            found = found.new_zeros(ctx.total).scatter_(0, taken, found)
        return found, None, None, None


class _Take(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        ctx.size = values.numel()
        return values.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        return grad.new_zeros(ctx.size).scatter_(0, index, grad), None


def _check_index(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """What multiplies the values was made for one mask."""
    assert isinstance(module, KeptWeight)
    loaded = state.get(prefix + "index", module.index)
    own = module.index
    if loaded.shape != own.shape or not torch.equal(loaded.to(own.device), own):
        raise ValueError(
            f"{prefix}index must be that of the model's own mask, {own.numel()} entries, got "
            f"{loaded.numel()} others."
        )
