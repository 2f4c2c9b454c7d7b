"""Sums of node values along edges, and sums of edge values at their targets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sparsegnn.ops._edge_values import EdgeMask, split_bits
from sparsegnn.ops._library import (
    as_acc,
    call,
    check_devices,
    check_floating,
    register_fake,
)
from sparsegnn.ops._typed import typed

if TYPE_CHECKING:
    from sparsegnn.graph import Graph


@typed
def edge_scores(
    g: Graph,
    s_dst: Tensor,
    s_src: Tensor,
    edge_mask: EdgeMask = None,
    *,
    negative_slope: float | None = None,
) -> Tensor:
    """`out[e, h] = leaky(s_dst[i, h] + s_src[j, h])` for every edge e = (j -> i).

    Args:
        g: Graph with M targets, K sources and E edges.
        s_dst: `[M, H]`, any floating dtype.
        s_src: `[K, H]`, the dtype of s_dst.
        edge_mask: `[E]`, bool or `Mask`: dropped edges get 0.
        negative_slope: Slope of LeakyReLU below zero; None for the sum itself.

    Returns:
        `[E, H]` in the edges' own order, float32 (float64 for float64).

    Raises:
        ValueError: A shape, dtype or device does not fit; the message names the argument.
        TypeError: edge_mask is a floating mask.

    Deterministic, whatever the number of threads. Differentiable, any number of times.
    """
    check_floating(s_dst, "s_dst")
    if s_src.dtype != s_dst.dtype:
        raise ValueError(f"s_src must have the dtype of s_dst, {s_dst.dtype}, got {s_src.dtype}.")
    bits = split_bits(edge_mask, g.num_edges)
    slope = 1.0 if negative_slope is None else negative_slope
    return call(  # type: ignore[no-any-return]
        torch.ops.sparsegnn.edge_scores.default,
        *g.csr,
        as_acc(s_dst, s_dst.dtype),
        as_acc(s_src, s_dst.dtype),
        bits,
        slope,
    )


@register_fake("sparsegnn::edge_scores")
def _scores_fake(
    rowptr: Tensor,
    col: Tensor,
    edge_id: Tensor | None,
    t_rowptr: Tensor,
    t_col: Tensor,
    t_edge_id: Tensor | None,
    dst: Tensor | None,
    src: Tensor | None,
    bits: Tensor | None,
    negative_slope: float,
) -> Tensor:
    check_devices(rowptr, col, edge_id, t_rowptr, t_col, t_edge_id, dst, src, bits)
    some = dst if dst is not None else src
    assert some is not None
    torch._check(some.dim() == 2, lambda: f"dst must have 2 dimensions, got {list(some.shape)}.")
    return some.new_empty(col.shape[0], some.shape[1])


def _scores_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *csr, dst, src, bits, slope = inputs
    ctx.save_for_backward(*csr, *((None, None) if slope == 1.0 else (dst, src)), bits)
    ctx.slope = slope


def _scores_backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    from sparsegnn.graph import CsrTensors

    *indices, dst, src, bits = ctx.saved_tensors
    csr = CsrTensors(*indices)
    ops = torch.ops.sparsegnn
    if ctx.slope != 1.0:
        sums = ops.edge_scores.default(*csr, dst, src, bits, 1.0)
        grad = torch.where(sums > 0, grad, grad * ctx.slope)
    grad = grad.contiguous()
    needs = ctx.needs_input_grad
    grad_dst = ops.edge_sum.default(*csr, grad, bits) if needs[6] else None
    grad_src = ops.edge_sum.default(*csr.transposed(), grad, bits) if needs[7] else None
    return (None,) * 6 + (grad_dst, grad_src, None, None)


torch.library.register_autograd(
    "sparsegnn::edge_scores", _scores_backward, setup_context=_scores_context
)


@register_fake("sparsegnn::edge_sum")
def _sum_fake(
    rowptr: Tensor,
    col: Tensor,
    edge_id: Tensor | None,
    t_rowptr: Tensor,
    t_col: Tensor,
    t_edge_id: Tensor | None,
    values: Tensor,
    bits: Tensor | None,
) -> Tensor:
    check_devices(rowptr, col, edge_id, t_rowptr, t_col, t_edge_id, values, bits)
    torch._check(
        values.dim() == 2, lambda: f"values must have 2 dimensions, got {list(values.shape)}."
    )
    return values.new_empty(rowptr.shape[0] - 1, values.shape[1])


def _sum_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:6], inputs[7])


def _sum_backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    *csr, bits = ctx.saved_tensors
    spread = torch.ops.sparsegnn.edge_scores.default(*csr, grad.contiguous(), None, bits, 1.0)
    return (None,) * 6 + (spread, None)


torch.library.register_autograd("sparsegnn::edge_sum", _sum_backward, setup_context=_sum_context)
