"""Linear layers with block-sparse weights, forward and backward at the cost of the kept blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sparsegnn.ops._autocast import autocast
from sparsegnn.ops._library import acc_dtype, as_acc, call, check_devices, register_fake
from sparsegnn.ops._typed import typed

if TYPE_CHECKING:
    from sparsegnn.block_weight import BlockWeight


@typed
def block_linear(x: Tensor, weight: BlockWeight, bias: Tensor | None = None) -> Tensor:
    """`x @ W.T + bias` where only the kept blocks of W exist.

    Args:
        x: `[N, in_features]`, float32, float64, float16 or bfloat16.
        weight: `[out_features, in_features]` in blocks of 16, 32 or 64.
        bias: `[out_features]`.

    Returns:
        `[N, out_features]` of the dtype of x; sums are taken in float32 (float64 for float64).

    Raises:
        ValueError: A shape, dtype or device does not fit; the message names the argument.

    Deterministic, whatever the number of threads. Differentiable, any number of times, in x, the
    values of W (gradients exist in kept blocks only) and bias. Under `torch.autocast` x is cast to
    its dtype (float64 is left alone); W and bias stay as they are.
    """
    x = autocast(x)
    values = as_acc(weight.values, x.dtype)
    return call(  # type: ignore[no-any-return]
        torch.ops.sparsegnn.block_linear.default,
        *weight.csr,
        x,
        values,
        as_acc(bias, x.dtype),
        False,
    )


@register_fake("sparsegnn::block_linear")
def _block_fake(
    rowptr: Tensor,
    col: Tensor,
    edge_id: Tensor | None,
    t_rowptr: Tensor,
    t_col: Tensor,
    t_edge_id: Tensor | None,
    x: Tensor,
    values: Tensor,
    bias: Tensor | None,
    transposed: bool,
) -> Tensor:
    check_devices(rowptr, col, edge_id, t_rowptr, t_col, t_edge_id, x, values, bias)
    torch._check(x.dim() == 2, lambda: f"x must have 2 dimensions, got shape {list(x.shape)}.")
    return x.new_empty(x.shape[0], (rowptr.shape[0] - 1) * values.shape[1])


def _block_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *csr, x, values, _, transposed = inputs
    needs = ctx.needs_input_grad
    ctx.save_for_backward(*csr, x if needs[7] else None, values if needs[6] else None)
    ctx.dtype, ctx.block, ctx.transposed = x.dtype, values.shape[1], transposed


def _block_backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    from sparsegnn.graph import CsrTensors

    *indices, x, values = ctx.saved_tensors
    csr = CsrTensors(*indices)
    needs = ctx.needs_input_grad
    linear = torch.ops.sparsegnn.block_linear.default
    linear_grad = torch.ops.sparsegnn.block_linear_grad.default
    grad_x = linear(*csr.transposed(), grad, values, None, not ctx.transposed) if needs[6] else None
    grad_values = None
    if needs[7] and ctx.transposed:  # the stored blocks map outputs to inputs
        grad_values = linear_grad(*csr.transposed(), x, grad, ctx.block)
    elif needs[7]:
        grad_values = linear_grad(*csr, grad, x, ctx.block)
    grad_bias = grad.sum(0, dtype=acc_dtype(ctx.dtype)) if needs[8] else None
    return (None,) * 6 + (grad_x, grad_values, grad_bias, None)


torch.library.register_autograd(
    "sparsegnn::block_linear", _block_backward, setup_context=_block_context
)


@register_fake("sparsegnn::block_linear_grad")
def _grad_fake(
    rowptr: Tensor,
    col: Tensor,
    edge_id: Tensor | None,
    t_rowptr: Tensor,
    t_col: Tensor,
    t_edge_id: Tensor | None,
    g: Tensor,
    x: Tensor,
    block: int,
) -> Tensor:
    check_devices(rowptr, col, edge_id, t_rowptr, t_col, t_edge_id, g, x)
    return x.new_empty(col.shape[0], block, block, dtype=acc_dtype(x.dtype))


def _grad_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:-1])


def _grad_backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    from sparsegnn.graph import CsrTensors

    *indices, g, x = ctx.saved_tensors
    csr = CsrTensors(*indices)
    grad = grad.contiguous()
    linear = torch.ops.sparsegnn.block_linear.default
    grad_g = linear(*csr, x, grad, None, False) if ctx.needs_input_grad[6] else None
    grad_x = linear(*csr.transposed(), g, grad, None, True) if ctx.needs_input_grad[7] else None
    return (None,) * 6 + (grad_g, grad_x, None)


torch.library.register_autograd(
    "sparsegnn::block_linear_grad", _grad_backward, setup_context=_grad_context
)
