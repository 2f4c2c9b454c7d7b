"""Max and min aggregation: the native `spmm_extreme` and `spmm_extreme_grad`, with derivatives.

    y[i, f] = max (or min) over kept edges e = (j -> i) of weight[e] * mask[e] * x[j, f]

`arg[i, f]` is the edge that the value came from, -1 for a target without kept edges, whose value is
0. The gradient of y flows along that edge alone: `spmm_extreme_grad` gathers `grad` and `arg` over
the transpose and keeps the columns where `arg` names the edge at hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sparsegnn.ops._library import acc_dtype, call, check_devices, register_fake
from sparsegnn.ops._vmap import needs_grad

if TYPE_CHECKING:
    from sparsegnn.graph import CsrTensors

_NUM_INPUTS = 12
_NUM_GRAD_INPUTS = 11


def spmm_extreme(
    csr: CsrTensors,
    x: Tensor,
    weight: Tensor | None,
    mask: Tensor | None,
    bits: Tensor | None,
    *,
    smallest: bool,
) -> Tensor:
    """The extreme message of every target; the edges are kept only where a gradient needs them."""
    operator = torch.ops.sparsegnn.spmm_extreme.default
    y, _ = call(operator, *csr, x, weight, mask, bits, smallest, needs_grad(x, weight, mask))
    return y  # type: ignore[no-any-return]


@register_fake("sparsegnn::spmm_extreme")
def _fake(
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
    smallest: bool,
    with_arg: bool,
) -> tuple[Tensor, Tensor]:
    check_devices(rowptr, col, edge_id, t_rowptr, t_col, t_edge_id, x, weight, mask, bits)
    torch._check(x.dim() == 2, lambda: f"x must have 2 dimensions, got shape {list(x.shape)}.")
    torch._check(
        x.shape[0] == t_rowptr.shape[0] - 1,
        lambda: f"x must have one row per source node, got shape {list(x.shape)}.",
    )
    rows, width = rowptr.shape[0] - 1, x.shape[1]
    arg = x.new_empty(rows if with_arg else 0, width, dtype=rowptr.dtype)
    return x.new_empty(rows, width), arg


@register_fake("sparsegnn::spmm_extreme_grad")
def _grad_fake(
    rowptr: Tensor,
    col: Tensor,
    edge_id: Tensor | None,
    t_rowptr: Tensor,
    t_col: Tensor,
    t_edge_id: Tensor | None,
    grad: Tensor,
    arg: Tensor,
    x: Tensor,
    weight: Tensor | None,
    mask: Tensor | None,
) -> tuple[Tensor, Tensor]:
    check_devices(rowptr, col, edge_id, t_rowptr, t_col, t_edge_id, grad, arg, x, weight, mask)
    dx = x.new_empty(t_rowptr.shape[0] - 1, x.shape[1])
    return dx, x.new_empty(col.shape[0], dtype=acc_dtype(x.dtype))


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    *csr, x, weight, mask, _, _, with_arg = inputs
    if not with_arg and any(ctx.needs_input_grad[6:9]):
        raise RuntimeError("spmm_extreme has a gradient only with with_arg=True.")
    ctx.mark_non_differentiable(output[1])
    ctx.save_for_backward(*csr, x, weight, mask, output[1])


def _backward(ctx: Any, grad: Tensor, _: Tensor | None) -> tuple[Tensor | None, ...]:
    *csr, x, weight, mask, arg = ctx.saved_tensors
    dx, dots = torch.ops.sparsegnn.spmm_extreme_grad.default(*csr, grad, arg, x, weight, mask)
    grads: list[Tensor | None] = [None] * _NUM_INPUTS
    needs = ctx.needs_input_grad
    grads[6] = dx if needs[6] else None
    grads[7] = _product(dots, mask) if needs[7] else None
    grads[8] = _product(dots, weight) if needs[8] else None
    return tuple(grads)


def _product(dots: Tensor, factor: Tensor | None) -> Tensor:
    return dots if factor is None else dots * factor


def _grad_setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    ctx.save_for_backward(*inputs)


def _grad_backward(ctx: Any, grad_dx: Tensor, grad_dots: Tensor) -> tuple[Tensor | None, ...]:
    *indices, grad, arg, x, weight, mask = ctx.saved_tensors
    operator = torch.ops.sparsegnn.spmm_extreme_grad.default
    grad_dots = grad_dots.contiguous()
    grads: list[Tensor | None] = [None] * _NUM_GRAD_INPUTS
    needs = ctx.needs_input_grad
    if needs[6]:
        through_dx = _along_edges(indices, arg, grad_dx, weight, mask)
        grads[6] = through_dx + _along_edges(indices, arg, x, grad_dots, None)
    if needs[8]:
        grads[8] = operator(*indices, grad, arg, x, grad_dots, None)[0]
    if needs[9] or needs[10]:
        dots = operator(*indices, grad, arg, grad_dx, None, None)[1]
        grads[9] = _product(dots, mask) if needs[9] else None
        grads[10] = _product(dots, weight) if needs[10] else None
    return tuple(grads)


def _along_edges(
    indices: list[Tensor], arg: Tensor, x: Tensor, weight: Tensor | None, mask: Tensor | None
) -> Tensor:
    """`weight[e] * mask[e] * x[j, f]` for the edge e = (j -> i) that `arg[i, f]` names, else 0."""
    _, col, edge_id, *_ = indices
    if col.shape[0] == 0:
        return x.new_zeros(arg.shape)
    edge = arg.clamp(min=0).long()
    source = col if edge_id is None else torch.empty_like(col).index_copy(0, edge_id.long(), col)
    message = x.gather(0, source.long()[edge])
    for factor in (weight, mask):
        if factor is not None:
            message = message * factor[edge].to(x.dtype)
    return torch.where(arg >= 0, message, 0)


torch.library.register_autograd("sparsegnn::spmm_extreme", _backward, setup_context=_setup_context)
torch.library.register_autograd(
    "sparsegnn::spmm_extreme_grad", _grad_backward, setup_context=_grad_setup_context
)
