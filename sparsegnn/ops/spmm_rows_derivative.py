"""Shape functions and derivatives of the native `spmm_rows` and `spmm_rows_grad`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sparsegnn.ops._library import acc_dtype, check_devices, register_fake

if TYPE_CHECKING:
    from sparsegnn.graph import CsrTensors

_Grads = tuple[Tensor | None, ...]


@register_fake("sparsegnn::spmm_rows")
def _fake(
    rowptr: Tensor,
    col: Tensor,
    edge_id: Tensor | None,
    t_rowptr: Tensor | None,
    t_col: Tensor | None,
    t_edge_id: Tensor | None,
    x_rowptr: Tensor | None,
    ids: Tensor,
    values: Tensor,
    num_cols: int,
    *edge: Tensor | None,
) -> Tensor:
    check_devices(rowptr, col, edge_id, t_rowptr, t_col, t_edge_id, x_rowptr, ids, values, *edge)
    return values.new_empty(rowptr.shape[0] - 1, num_cols)


@register_fake("sparsegnn::spmm_rows_grad")
def _grad_fake(
    rowptr: Tensor,
    col: Tensor,
    edge_id: Tensor | None,
    t_rowptr: Tensor | None,
    t_col: Tensor | None,
    t_edge_id: Tensor | None,
    x_rowptr: Tensor | None,
    ids: Tensor,
    values: Tensor,
    g: Tensor,
    weight: Tensor | None,
    bits: Tensor | None,
    row_scale: Tensor | None,
    col_scale: Tensor | None,
    need_values: bool,
    need_edges: bool,
) -> tuple[Tensor, Tensor]:
    check_devices(rowptr, col, edge_id, t_rowptr, t_col, t_edge_id, x_rowptr, ids, values, g)
    check_devices(rowptr, weight, bits, row_scale, col_scale)
    edges = values.new_empty(col.shape[0] if need_edges else 0, dtype=acc_dtype(values.dtype))
    return torch.empty_like(values) if need_values else values.new_empty(0), edges


def _grad(
    csr: CsrTensors,
    operand: tuple[Tensor | None, Tensor, Tensor],
    g: Tensor,
    edge: tuple[Tensor | None, ...],
    need_values: bool,
    need_edges: bool,
) -> tuple[Tensor, Tensor]:
    """Gradients of the operand's values and of the edge weights, both or one of them."""
    if need_values and g.is_cuda and csr.t_col is None:
        csr = _with_transpose(csr, operand)
    return torch.ops.sparsegnn.spmm_rows_grad.default(  # type: ignore[no-any-return]
        *csr, *operand, g, *edge, need_values, need_edges
    )


def _with_transpose(csr: CsrTensors, operand: tuple[Tensor | None, Tensor, Tensor]) -> CsrTensors:
    """Fills in the transpose of a pattern that came without: the GPU kernels need it."""
    x_rowptr, ids, _ = operand
    num_src = ids.shape[0] if x_rowptr is None else x_rowptr.shape[0] - 1
    col = csr.col.contiguous()
    order = torch.sort(col, stable=True).indices
    bounds = torch.arange(num_src + 1, dtype=col.dtype, device=col.device)
    t_rowptr = torch.searchsorted(col[order], bounds, out_int32=col.dtype == torch.int32)
    places = torch.arange(col.shape[0], dtype=csr.rowptr.dtype, device=col.device)
    target = torch.searchsorted(csr.rowptr, places, right=True, out_int32=col.dtype == torch.int32)
    edge = order.to(col.dtype) if csr.edge_id is None else csr.edge_id[order]
    return csr._replace(t_rowptr=t_rowptr, t_col=(target - 1)[order], t_edge_id=edge)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    if ctx.needs_input_grad[12] or ctx.needs_input_grad[13]:
        raise RuntimeError("row_scale and col_scale of the raw operator take no gradient.")
    ctx.save_for_backward(*inputs[:9], *inputs[10:])


def _backward(ctx: Any, grad: Tensor) -> _Grads:
    from sparsegnn.graph import CsrTensors

    saved = ctx.saved_tensors
    needs = ctx.needs_input_grad
    values, edges = _grad(CsrTensors(*saved[:6]), saved[6:9], grad, saved[9:], needs[8], needs[10])
    none = (None,)
    return (
        *none * 8,
        values if needs[8] else None,
        None,
        edges if needs[10] else None,
        *none * 3,
    )


def _grad_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    if ctx.needs_input_grad[12] or ctx.needs_input_grad[13]:
        raise RuntimeError("row_scale and col_scale of the raw operator take no gradient.")
    *tensors, ctx.need_values, ctx.need_edges = inputs
    ctx.save_for_backward(*tensors)


def _grad_backward(ctx: Any, grad_values: Tensor, grad_edges: Tensor) -> _Grads:
    """spmm_rows_grad is linear in g; its values are linear in the weight, its edges in values."""
    from sparsegnn.graph import CsrTensors

    saved = ctx.saved_tensors
    csr, (x_rowptr, ids, values), g = CsrTensors(*saved[:6]), saved[6:9], saved[9]
    weight, *scales = saved[10:]
    from_values = (x_rowptr, ids, grad_values.contiguous())
    from_edges = (grad_edges.contiguous(), *scales)
    grads: list[Tensor | None] = [None] * 16
    needs = ctx.needs_input_grad
    product = torch.ops.sparsegnn.spmm_rows.default
    if needs[9]:
        parts = []
        if ctx.need_values:
            parts.append(product(*csr, *from_values, g.shape[1], weight, *scales))
        if ctx.need_edges:
            parts.append(product(*csr, x_rowptr, ids, values, g.shape[1], *from_edges))
        grads[9] = sum(parts) if parts else None
    if needs[8] and ctx.need_edges:
        grads[8] = _grad(csr, (x_rowptr, ids, values), g, from_edges, True, False)[0]
    if needs[10] and ctx.need_values:
        grads[10] = _grad(csr, from_values, g, (weight, *scales), False, True)[1]
    return tuple(grads)


torch.library.register_autograd("sparsegnn::spmm_rows", _backward, setup_context=_setup_context)
torch.library.register_autograd(
    "sparsegnn::spmm_rows_grad", _grad_backward, setup_context=_grad_context
)
