"""Sampled dense-dense products: one dot product per kept edge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from sparsegnn.ops._autocast import autocast
from sparsegnn.ops._edge_values import EdgeMask, split_mask
from sparsegnn.ops._library import acc_dtype, as_acc, call, check_devices, register_fake
from sparsegnn.ops._typed import typed
from sparsegnn.ops.edge_scores import edge_scores

if TYPE_CHECKING:
    from sparsegnn.graph import Graph

_NUM_INPUTS = 12


@typed
def sddmm(
    g: Graph,
    a: Tensor,
    b: Tensor,
    edge_mask: EdgeMask = None,
    *,
    op: Literal["dot", "add"] = "dot",
) -> Tensor:
    """`out[e] = edge_mask[e] * dot(a[i], b[j])` for every edge e = (j -> i).

    Args:
        g: Graph with M targets, K sources and E edges.
        a: `[M, F]`, float32, float64, float16 or bfloat16.
        b: `[K, F]`, the dtype of a.
        edge_mask: `[E]`: bool or `Mask` gives dropped edges 0, floating point scales.
        op: "dot", or "add" for the sums `a[i] + b[j]`, `[E, F]` (`edge_scores`).

    Returns:
        `[E]` in the edges' own order, float32 (float64 for float64).

    Raises:
        ValueError: A shape, dtype or device does not fit; the message names the argument.

    Deterministic, whatever the number of threads. Differentiable, any number of times. Under
    `torch.autocast` a and b are cast to its dtype (float64 is left alone).
    """
    if op == "add":
        return edge_scores(g, a, b, edge_mask)
    if op != "dot":
        raise ValueError(f"op must be 'dot' or 'add', got {op!r}.")
    a, b = autocast(a), autocast(b)
    soft, bits = split_mask(edge_mask, g.num_edges)
    return call(  # type: ignore[no-any-return]
        torch.ops.sparsegnn.sddmm.default, *g.csr, a, b, as_acc(soft, a.dtype), bits, None, None
    )


@register_fake("sparsegnn::sddmm")
def _sddmm_fake(
    rowptr: Tensor,
    col: Tensor,
    edge_id: Tensor | None,
    t_rowptr: Tensor,
    t_col: Tensor,
    t_edge_id: Tensor | None,
    a: Tensor,
    b: Tensor,
    *rest: Any,
) -> Tensor:
    check_devices(rowptr, col, edge_id, t_rowptr, t_col, t_edge_id, a, b, *rest)
    torch._check(a.dim() == 2, lambda: f"a must have 2 dimensions, got shape {list(a.shape)}.")
    torch._check(b.dim() == 2, lambda: f"b must have 2 dimensions, got shape {list(b.shape)}.")
    return a.new_empty(col.shape[0], dtype=acc_dtype(a.dtype))


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    if ctx.needs_input_grad[10] or ctx.needs_input_grad[11]:
        raise RuntimeError("row_scale and col_scale of the raw operator take no gradient.")
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    from sparsegnn.graph import CsrTensors

    *indices, a, b, coef, bits, row_scale, col_scale = ctx.saved_tensors
    csr = CsrTensors(*indices)
    grad = grad.contiguous()
    grads: list[Tensor | None] = [None] * _NUM_INPUTS
    plain = (None, False, False)
    if ctx.needs_input_grad[6]:
        grads[6] = torch.ops.sparsegnn.spmm.default(
            *csr, b, grad, coef, bits, row_scale, col_scale, *plain
        )
    if ctx.needs_input_grad[7]:
        grads[7] = torch.ops.sparsegnn.spmm.default(
            *csr.transposed(), a, grad, coef, bits, col_scale, row_scale, *plain
        )
    if ctx.needs_input_grad[8]:
        dots = torch.ops.sparsegnn.sddmm.default(*csr, a, b, None, bits, row_scale, col_scale)
        grads[8] = grad * dots
    return tuple(grads)


torch.library.register_autograd("sparsegnn::sddmm", _backward, setup_context=_setup_context)
