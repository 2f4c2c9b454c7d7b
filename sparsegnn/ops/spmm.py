"""Masked sparse-dense products: message passing without messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from sparsegnn.ops._edge_values import EdgeMask, split_mask
from sparsegnn.ops._library import acc_dtype, as_acc, call, check_devices, register_fake

if TYPE_CHECKING:
    from sparsegnn.graph import CsrTensors, Graph

_NUM_INPUTS = 15


def spmm(
    g: Graph,
    x: Tensor,
    edge_weight: Tensor | None = None,
    edge_mask: EdgeMask = None,
    *,
    reduce: Literal["sum", "mean"] = "sum",
    row_scale: Tensor | None = None,
    col_scale: Tensor | None = None,
    bias: Tensor | None = None,
    relu: bool = False,
    transpose: bool = False,
) -> Tensor:
    """Aggregates source features over the kept edges of every target.

    `y[i] = act(row_scale[i] * sum_e edge_weight[e] * edge_mask[e] * col_scale[j] * x[j] + bias)`
    over the kept edges e = (j -> i). A dropped edge is absent: NaN behind it does not reach y.

    Args:
        g: Graph with M targets, K sources and E edges.
        x: `[K, F]`, float32, float64, float16 or bfloat16; sums are taken in float32 (float64 for
            float64).
        edge_weight: `[E]` in the edges' own order.
        edge_mask: `[E]`: bool or `Mask` drops edges, floating point scales them.
        reduce: "sum", or "mean" over the kept edges; a target without any gets zero.
        row_scale: `[M]`.
        col_scale: `[K]`.
        bias: `[F]`.
        relu: Whether to clamp at zero at the end.
        transpose: Aggregate over targets instead: x is then `[M, F]` and y `[K, F]`.

    Returns:
        `[M, F]` of the dtype of x.

    Raises:
        ValueError: A shape, dtype or device does not fit; the message names the argument.

    Deterministic, whatever the number of threads. Differentiable, any number of times, in x,
    edge_weight, a floating edge_mask, the scales and bias.
    """
    if reduce not in ("sum", "mean"):
        raise ValueError(f"reduce must be 'sum' or 'mean', got {reduce!r}.")
    csr = g.csr.transposed() if transpose else g.csr
    soft, bits = split_mask(edge_mask, g.num_edges)
    weight = as_acc(edge_weight, x.dtype)
    rows, cols = as_acc(row_scale, x.dtype), as_acc(col_scale, x.dtype)
    if _requires_grad(rows, cols):
        weight, rows, cols = _fold_scales(csr, weight, rows, cols)
    return call(  # type: ignore[no-any-return]
        torch.ops.sparsegnn.spmm.default,
        *csr,
        x,
        weight,
        as_acc(soft, x.dtype),
        bits,
        rows,
        cols,
        as_acc(bias, x.dtype),
        reduce == "mean",
        relu,
    )


def _requires_grad(*tensors: Tensor | None) -> bool:
    return torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)


def _fold_scales(
    csr: CsrTensors, weight: Tensor | None, rows: Tensor | None, cols: Tensor | None
) -> tuple[Tensor, None, None]:
    """Moves scales that need a gradient into the edge weights, where they get one."""
    reference = rows if rows is not None else cols
    assert reference is not None
    left = reference.new_ones(csr.rowptr.numel() - 1) if rows is None else rows
    right = reference.new_ones(csr.t_rowptr.numel() - 1) if cols is None else cols
    folded = torch.ops.sparsegnn.sddmm.default(
        *csr, left.unsqueeze(1), right.unsqueeze(1), weight, None, None, None
    )
    return folded, None, None


@register_fake("sparsegnn::spmm")
def _spmm_fake(
    rowptr: Tensor,
    col: Tensor,
    edge_id: Tensor | None,
    t_rowptr: Tensor,
    t_col: Tensor,
    t_edge_id: Tensor | None,
    x: Tensor,
    *rest: Any,
) -> Tensor:
    check_devices(rowptr, col, edge_id, t_rowptr, t_col, t_edge_id, x, *rest)
    torch._check(x.dim() == 2, lambda: f"x must have 2 dimensions, got shape {list(x.shape)}.")
    torch._check(
        x.shape[0] == t_rowptr.shape[0] - 1,
        lambda: f"x must have one row per source node, got shape {list(x.shape)}.",
    )
    return x.new_empty(rowptr.shape[0] - 1, x.shape[1])


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *csr, x, weight, mask, bits, row_scale, col_scale, _, mean, relu = inputs
    if ctx.needs_input_grad[10] or ctx.needs_input_grad[11]:
        raise RuntimeError(
            "row_scale and col_scale of the raw operator take no gradient: use sparsegnn.ops.spmm."
        )
    needs_x = ctx.needs_input_grad[7] or ctx.needs_input_grad[8]
    saved = (weight, mask, bits, row_scale, col_scale)
    ctx.save_for_backward(*csr, x if needs_x else None, *saved, output if relu else None)
    ctx.mean = mean
    ctx.dtype = x.dtype


def _kept_in_degree(csr: CsrTensors, bits: Tensor | None, dtype: torch.dtype) -> Tensor:
    if bits is None:
        return csr.rowptr.diff().to(dtype)
    ones = torch.ones(csr.t_rowptr.shape[0] - 1, 1, dtype=dtype, device=csr.rowptr.device)
    nothing = (None, None, None)
    counts = torch.ops.sparsegnn.spmm.default(*csr, ones, None, None, bits, *nothing, False, False)
    return counts.squeeze(1)  # type: ignore[no-any-return]


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    from sparsegnn.graph import CsrTensors

    *indices, x, weight, mask, bits, row_scale, col_scale, output = ctx.saved_tensors
    csr = CsrTensors(*indices)
    if output is not None:
        grad = torch.ops.aten.threshold_backward.default(grad, output, 0)
    if ctx.mean:
        inverse = _kept_in_degree(csr, bits, acc_dtype(ctx.dtype)).clamp(min=1).reciprocal()
        row_scale = inverse if row_scale is None else row_scale * inverse
    grads: list[Tensor | None] = [None] * _NUM_INPUTS
    needs = ctx.needs_input_grad
    if needs[6]:
        grads[6] = torch.ops.sparsegnn.spmm.default(
            *csr.transposed(), grad, weight, mask, bits, col_scale, row_scale, None, False, False
        )
    for position, coefficient in ((7, mask), (8, weight)):
        if needs[position]:
            grads[position] = torch.ops.sparsegnn.sddmm.default(
                *csr, grad, x, coefficient, bits, row_scale, col_scale
            )
    if needs[12]:
        grads[12] = grad.sum(0, dtype=acc_dtype(ctx.dtype))
    return tuple(grads)


torch.library.register_autograd("sparsegnn::spmm", _backward, setup_context=_setup_context)
