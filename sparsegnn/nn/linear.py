"""Linear layers with pruned weights."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from sparsegnn.ops import sparse_linear
from sparsegnn.sparse_weight import SparseWeight


class SparseLinear(nn.Module):
    """`torch.nn.Linear` whose weight holds its kept entries only.

    Forward and backward cost as much as the kept entries. `state_dict` keys are `bias` and
    `weight.*`: the values and the pattern.

    Args:
        in_features: Size of the inputs.
        out_features: Size of the outputs.
        bias: Whether to add a bias.
        mask: bool `[out_features, in_features]`, true where an entry is kept; by default all.
        device: Where the parameters live.
        dtype: Their dtype.

    Shapes:
        x `[..., in_features]`; output `[..., out_features]`.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        mask: Tensor | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        shape = (out_features, in_features)
        start = torch.zeros(shape, device=device, dtype=dtype)
        every = torch.ones(shape, device=device, dtype=torch.bool)
        self.weight = SparseWeight.from_dense(start, every if mask is None else mask)
        self.bias = nn.Parameter(start.new_empty(out_features)) if bias else None
        self.in_features = in_features
        self.out_features = out_features
        self.reset_parameters()

    @staticmethod
    def from_linear(linear: nn.Linear, mask: Tensor | None = None) -> SparseLinear:
        """The kept entries of a dense layer, by default its non-zero ones; copied."""
        keep = linear.weight.detach().ne(0) if mask is None else mask
        layer = SparseLinear.__new__(SparseLinear)
        nn.Module.__init__(layer)
        layer.weight = SparseWeight.from_dense(linear.weight, keep)
        bias = linear.bias
        layer.bias = None if bias is None else nn.Parameter(bias.detach().clone())
        layer.in_features = linear.in_features
        layer.out_features = linear.out_features
        return layer

    def reset_parameters(self) -> None:
        """The start of `torch.nn.Linear`: uniform within 1 / sqrt(in_features)."""
        limit = 1.0 / math.sqrt(self.in_features) if self.in_features > 0 else 0.0
        nn.init.uniform_(self.weight.values, -limit, limit)
        if self.bias is not None:
            nn.init.uniform_(self.bias, -limit, limit)

    def forward(self, x: Tensor) -> Tensor:
        """`x @ W.T + bias`."""
        if x.dim() == 2:
            return sparse_linear(x, self.weight, self.bias)
        rows = x.reshape(-1, self.in_features)
        return sparse_linear(rows, self.weight, self.bias).reshape(*x.shape[:-1], -1)

    def extra_repr(self) -> str:
        """Sizes."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class MaskedLinear(nn.Linear):
    """`torch.nn.Linear` with a mask that is folded into its weight, for training at a fixed mask.

    The weight is multiplied by the mask once, when the mask is set; the forward pass is a plain
    dense product, and the gradients of pruned entries are zero. Optimizers therefore leave them at
    zero: SGD and Adam do, with momentum and weight decay, when they start after the mask was set.
    Where a pruned entry was changed by other means, `fold_` clears it again.

    Attributes:
        mask: bool `[out_features, in_features]`, true where an entry is kept.
    """

    mask: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        mask: Tensor | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_features, out_features, bias, device=device, dtype=dtype)
        self.register_buffer("mask", torch.ones_like(self.weight, dtype=torch.bool))
        if mask is not None:
            self.set_mask(mask)

    @staticmethod
    def from_linear(linear: nn.Linear, mask: Tensor | None = None) -> MaskedLinear:
        """A copy of a dense layer under a mask, by default that of its non-zero entries."""
        weight = linear.weight.detach()
        layer = MaskedLinear(
            linear.in_features,
            linear.out_features,
            linear.bias is not None,
            device=weight.device,
            dtype=weight.dtype,
        )
        with torch.no_grad():
            layer.weight.copy_(weight)
            if linear.bias is not None:
                layer.bias.copy_(linear.bias)
        layer.set_mask(weight.ne(0) if mask is None else mask)
        return layer

    def set_mask(self, mask: Tensor) -> None:
        """Takes a new mask and clears the entries that it prunes.

        Raises:
            ValueError: The mask is not bool of the shape of the weight.
        """
        if mask.dtype != torch.bool or mask.shape != self.weight.shape:
            raise ValueError(
                f"mask must be bool of shape {list(self.weight.shape)}, got {mask.dtype} of shape "
                f"{list(mask.shape)}."
            )
        self.mask.copy_(mask)
        self.fold_()

    @torch.no_grad()
    def fold_(self) -> None:
        """Clears the pruned entries of the weight."""
        self.weight.masked_fill_(~self.mask, 0)

    def forward(self, x: Tensor) -> Tensor:
        """`x @ W.T + bias`; W is zero where it is pruned."""
        weight = _masked_gradient(self.weight, self.mask)
        return nn.functional.linear(x, weight, self.bias)

    def to_sparse(self) -> SparseLinear:
        """The layer with its kept entries only, for fast inference and training."""
        return SparseLinear.from_linear(self, self.mask)


class _MaskedGradient(torch.autograd.Function):
    """The identity, whose gradient is zero where the mask is false."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, mask: Tensor) -> Tensor:
        ctx.save_for_backward(mask)
        return weight.view_as(weight)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (mask,) = ctx.saved_tensors
        return grad.masked_fill(~mask, 0), None


def _masked_gradient(weight: Tensor, mask: Tensor) -> Tensor:
    return _MaskedGradient.apply(weight, mask)  # type: ignore[no-any-return, no-untyped-call]
