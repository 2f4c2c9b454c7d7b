"""Softmax over the kept edges of every target."""

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
def edge_softmax(g: Graph, scores: Tensor, edge_mask: EdgeMask = None) -> Tensor:
    """`out[e] = exp(scores[e]) / sum over the kept edges of the same target`, per head.

    Args:
        g: Graph with E edges.
        scores: `[E]` or `[E, H]` in the edges' own order, any floating dtype.
        edge_mask: `[E]`, bool or `Mask`: dropped edges get 0 and take no part in the sums.

    Returns:
        Like scores, float32 (float64 for float64 scores). A target whose kept scores are all -inf,
        or hold NaN or +inf, gets NaN, as `torch.softmax` gives.

    Raises:
        ValueError: A shape or device does not fit; the message names the argument.
        TypeError: edge_mask is a floating mask.

    Deterministic, whatever the number of threads. Differentiable twice in scores.
    """
    check_floating(scores, "scores")
    if scores.dim() not in (1, 2):
        raise ValueError(f"scores must have shape [E] or [E, H], got {list(scores.shape)}.")
    bits = split_bits(edge_mask, g.num_edges)
    values = as_acc(scores.unsqueeze(1) if scores.dim() == 1 else scores, scores.dtype)
    out = call(torch.ops.sparsegnn.edge_softmax.default, *g.csr, values, bits)
    return out.view(scores.shape)  # type: ignore[no-any-return]


@register_fake("sparsegnn::edge_softmax")
def _softmax_fake(
    rowptr: Tensor,
    col: Tensor,
    edge_id: Tensor | None,
    t_rowptr: Tensor,
    t_col: Tensor,
    t_edge_id: Tensor | None,
    scores: Tensor,
    bits: Tensor | None,
) -> Tensor:
    check_devices(rowptr, col, edge_id, t_rowptr, t_col, t_edge_id, scores, bits)
    return torch.empty_like(scores)


def _softmax_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:6], output, inputs[7])


def _softmax_backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    *csr, softmax, bits = ctx.saved_tensors
    grad_op = torch.ops.sparsegnn.edge_softmax_grad.default
    return (None,) * 6 + (grad_op(*csr, softmax, grad.contiguous(), bits), None)


torch.library.register_autograd(
    "sparsegnn::edge_softmax", _softmax_backward, setup_context=_softmax_context
)


@register_fake("sparsegnn::edge_softmax_grad")
def _grad_fake(
    rowptr: Tensor,
    col: Tensor,
    edge_id: Tensor | None,
    t_rowptr: Tensor,
    t_col: Tensor,
    t_edge_id: Tensor | None,
    softmax: Tensor,
    grad: Tensor,
    bits: Tensor | None,
) -> Tensor:
    check_devices(rowptr, col, edge_id, t_rowptr, t_col, t_edge_id, softmax, grad, bits)
    return torch.empty_like(softmax)


def _grad_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _grad_backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
    """Of p * (g - sum p g): in g it is the same map, in p a row sum more."""
    *csr, p, g, bits = ctx.saved_tensors
    upstream = upstream.contiguous()
    ops = torch.ops.sparsegnn
    grad_p = grad_g = None
    if ctx.needs_input_grad[7]:
        grad_g = ops.edge_softmax_grad.default(*csr, p, upstream, bits)
    if ctx.needs_input_grad[6]:
        sums = [ops.edge_sum.default(*csr, p * factor, bits) for factor in (g, upstream)]
        g_mean, up_mean = (ops.edge_scores.default(*csr, total, None, bits, 1.0) for total in sums)
        grad_p = upstream * (g - g_mean) - g * up_mean
        if bits is not None:
            ones = p.new_ones(csr[0].shape[0] - 1, 1)
            grad_p = torch.where(
                ops.edge_scores.default(*csr, ones, None, bits, 1.0) > 0, grad_p, 0
            )
    return (None,) * 6 + (grad_p, grad_g, None)


torch.library.register_autograd(
    "sparsegnn::edge_softmax_grad", _grad_backward, setup_context=_grad_context
)
