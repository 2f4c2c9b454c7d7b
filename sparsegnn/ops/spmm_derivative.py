"""Shape function and derivative of the native `spmm`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sparsegnn.ops import spmm_grad as spmm_grad  # registers it
from sparsegnn.ops._library import acc_dtype, check_devices, register_fake

if TYPE_CHECKING:
    from sparsegnn.graph import CsrTensors

_NUM_INPUTS = 19


@register_fake("sparsegnn::spmm")
def spmm_fake(
    rowptr: Tensor,
    col: Tensor,
    edge_id: Tensor | None,
    t_rowptr: Tensor,
    t_col: Tensor,
    t_edge_id: Tensor | None,
    x: Tensor,
    weight: Tensor | None,
    mask: Tensor | None,
    bits: Tensor | None,
    row_scale: Tensor | None,
    col_scale: Tensor | None,
    bias: Tensor | None,
    mean: bool,
    relu: bool,
    residual: Tensor | None = None,
    dropout: float = 0.0,
    seed: Tensor | None = None,
    out_dtype: torch.dtype | None = None,
) -> Tensor:
    """Shape and dtype of the aggregated rows."""
    check_devices(rowptr, col, edge_id, t_rowptr, t_col, t_edge_id, x, weight, mask, bits)
    check_devices(rowptr, row_scale, col_scale, bias, residual, seed)
    torch._check(x.dim() == 2, lambda: f"x must have 2 dimensions, got shape {list(x.shape)}.")
    torch._check(
        x.shape[0] == t_rowptr.shape[0] - 1,
        lambda: f"x must have one row per source node, got shape {list(x.shape)}.",
    )
    return x.new_empty(rowptr.shape[0] - 1, x.shape[1], dtype=out_dtype or x.dtype)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *csr, x, weight, mask, bits, row_scale, col_scale, _, mean, relu = inputs[:15]
    residual, dropout, seed, _ = inputs[15:]
    if ctx.needs_input_grad[10] or ctx.needs_input_grad[11]:
        raise RuntimeError(
            "row_scale and col_scale of the raw operator take no gradient: use sparsegnn.ops.spmm."
        )
    if relu and residual is not None:
        raise RuntimeError(
            "relu with residual has no gradient in the raw operator: use sparsegnn.ops.spmm."
        )
    needs_x = ctx.needs_input_grad[7] or ctx.needs_input_grad[8]
    saved = (weight, mask, bits, row_scale, col_scale)
    epilogue = (output, None) if relu else (None, seed)
    ctx.save_for_backward(*csr, x if needs_x else None, *saved, *epilogue)
    ctx.dropout = dropout
    ctx.mean = mean
    ctx.dtype = x.dtype


def _kept_in_degree(csr: CsrTensors, bits: Tensor | None, dtype: torch.dtype) -> Tensor:
    if bits is None:
        return csr.rowptr.diff().to(dtype)
    ones = torch.ones(csr.t_rowptr.shape[0] - 1, 1, dtype=dtype, device=csr.rowptr.device)
    nothing = (None, None, None)
    counts = torch.ops.sparsegnn.spmm.default(*csr, ones, None, None, bits, *nothing, False, False)
    return counts.squeeze(1)  # type: ignore[no-any-return]


def _before_epilogue(
    grad: Tensor, output: Tensor | None, dropout: float, seed: Tensor | None
) -> Tensor:
    """The gradient before dropout and ReLU; `output` is positive where both let through."""
    if output is not None:
        grad = torch.ops.sparsegnn.dropout_grad.default(grad, output, dropout)
    elif dropout != 0.0:
        grad = torch.ops.sparsegnn.dropout.default(grad, dropout, seed)
    return grad


def _gradients_of_product(
    csr: CsrTensors,
    grad: Tensor,
    x: Tensor | None,
    values: tuple[Tensor | None, ...],
    needs: tuple[bool, ...],
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Gradients of x, weight and mask: one gather of `grad`, however many are needed."""
    ops = torch.ops.sparsegnn
    weight, mask, bits, row_scale, col_scale = values
    needs_x, needs_weight, needs_mask = needs
    if not (needs_weight or needs_mask):
        scales = (col_scale, row_scale)
        dx = ops.spmm.default(
            *csr.transposed(), grad, weight, mask, bits, *scales, None, False, False
        )
        return dx, None, None
    if needs_x:
        dx, dots = ops.spmm_grad.default(*csr, grad, x, *values)
    else:
        dx, dots = None, ops.sddmm.default(*csr, grad, x, None, bits, row_scale, col_scale)
    dweight = _times(dots, mask, spare=not needs_mask) if needs_weight else None
    return dx, dweight, _times(dots, weight, spare=True) if needs_mask else None


def _times(dots: Tensor, factor: Tensor | None, spare: bool) -> Tensor:
    """`dots * factor`, in place when nothing else uses `dots`: fresh memory costs page faults."""
    if factor is None:
        return dots
    if spare and not torch.is_grad_enabled():
        return dots.mul_(factor)
    return dots * factor


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    from sparsegnn.graph import CsrTensors

    *indices, x, weight, mask, bits, row_scale, col_scale, output, seed = ctx.saved_tensors
    csr = CsrTensors(*indices)
    grads: list[Tensor | None] = [None] * _NUM_INPUTS
    needs = ctx.needs_input_grad  # as long as the arguments given: defaults at the end are left out
    grads[15] = grad if any(needs[15:16]) else None
    grad = _before_epilogue(grad, output, ctx.dropout, seed).to(ctx.dtype)
    if ctx.mean:
        inverse = _kept_in_degree(csr, bits, acc_dtype(ctx.dtype)).clamp(min=1).reciprocal()
        row_scale = inverse if row_scale is None else row_scale * inverse
    if needs[6] or needs[7] or needs[8]:
        values = (weight, mask, bits, row_scale, col_scale)
        grads[6:9] = _gradients_of_product(csr, grad, x, values, needs[6:9])
    if needs[12]:
        grads[12] = grad.sum(0, dtype=acc_dtype(ctx.dtype))
    return tuple(grads)


torch.library.register_autograd("sparsegnn::spmm", _backward, setup_context=_setup_context)
