"""Dense products with results so large that fresh memory for them costs as much as a pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sparsegnn.memory import KEPT_BYTES, fresh
from sparsegnn.ops._vmap import is_batched


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`torch.nn.functional.linear`; on the CPU large results and gradients lie on huge pages."""
    if torch.compiler.is_compiling() or not _is_large(x, weight):
        return nn.functional.linear(x, weight, bias)
    return _Linear.apply(x, weight, bias)  # type: ignore[no-any-return, no-untyped-call]


def _is_large(x: Tensor, weight: Tensor) -> bool:
    size = x.element_size() * x.shape[0] * max(weight.shape) if x.dim() == 2 else 0
    return (
        size > KEPT_BYTES
        and x.device.type == "cpu"
        and x.dtype == weight.dtype
        and not torch.is_autocast_enabled("cpu")
        and not (is_batched(x) or is_batched(weight))
    )


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        y = fresh(x, (x.shape[0], weight.shape[0]))
        if bias is None:
            return torch.mm(x, weight.t(), out=y)
        return torch.addmm(bias, x, weight.t(), out=y)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        plain = torch.is_grad_enabled() or not torch._C._has_storage(grad)  # of a batch
        grad_x = grad_weight = None
        if needs_x:
            grad_x = grad @ weight if plain else torch.mm(grad, weight, out=fresh(x, x.shape))
        if needs_weight:
            # Laid out as the weight is: the parameter takes it as its gradient without a copy.
            input_major = weight.stride(0) == 1 and weight.stride(1) != 1
            grad_weight = (x.t() @ grad).t() if input_major else grad.t() @ x
        return grad_x, grad_weight, grad.sum(0) if needs_bias else None
