"""Fused graph attention: one pass over the edges forward, one backward."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch import Tensor

from sparsegnn.ops._autocast import autocast
from sparsegnn.ops._edge_values import EdgeMask, split_bits
from sparsegnn.ops._library import acc_dtype, as_acc, call, check_devices, free_saved, register_fake
from sparsegnn.ops._typed import typed
from sparsegnn.ops._vmap import needs_grad
from sparsegnn.ops.dropout import Seed, seed_tensor

if TYPE_CHECKING:
    from sparsegnn.graph import Graph


@typed
def gat(
    g: Graph,
    x: Tensor,
    s_dst: Tensor,
    s_src: Tensor,
    edge_mask: EdgeMask = None,
    edge_score: Tensor | None = None,
    *,
    negative_slope: float = 0.2,
    dropout: float = 0.0,
    seed: Seed = None,
) -> Tensor:
    """Attention over the kept edges of every target (Velickovic et al., arXiv 1710.10903).

    `y[i, h] = sum_e alpha[e, h] * x[j, h]` over the kept edges e = (j -> i), where alpha is the
    softmax over them of `leaky_relu(s_dst[i, h] + s_src[j, h] + edge_score[e, h])`. Nothing of
    size E is stored between forward and backward: weights are computed again from a maximum and a
    sum per target and head.

    Args:
        g: Graph with M targets, K sources and E edges.
        x: `[K, H, D]`, float32, float64, float16 or bfloat16; sums are taken in float32 (float64
            for float64).
        s_dst: `[M, H]`, any floating dtype.
        s_src: `[K, H]`.
        edge_mask: `[E]`, bool or `Mask`: dropped edges are absent.
        edge_score: `[E, H]` in the edges' own order, added before the activation.
        negative_slope: Slope of LeakyReLU below zero.
        dropout: Probability of dropping a weight after the softmax, rounded to a multiple of 2^-16;
            the others are scaled so that the mean is kept. Weight (e, h) drops as element
            `e * H + h` of `sparsegnn.ops.dropout` under the same seed.
        seed: An integer or an int64 tensor `[1]`; by default a draw from torch's generator.

    Returns:
        `[M, H, D]` of the dtype of x. A target without kept edges gets zero; one whose scores are
        all -inf, or hold NaN or +inf, gets NaN.

    Raises:
        ValueError: A shape, dtype or device does not fit; the message names the argument.
        TypeError: edge_mask is a floating mask.

    Deterministic, whatever the number of threads. Differentiable once, in x, s_dst, s_src and
    edge_score: a second derivative raises a RuntimeError (compose `edge_scores`, `edge_softmax`
    and `spmm` where one is needed). Under `torch.autocast` x is cast to its dtype (float64 is left
    alone); scores stay as they are.
    """
    x = autocast(x)
    bits = split_bits(edge_mask, g.num_edges)
    needs_dst = needs_grad(s_dst)
    outputs = call(
        torch.ops.sparsegnn.gat.default,
        *g.csr,
        x.contiguous(),
        as_acc(s_dst, x.dtype),
        as_acc(s_src, x.dtype),
        as_acc(edge_score, x.dtype),
        bits,
        negative_slope,
        dropout,
        seed_tensor(seed, x.device) if dropout > 0.0 else None,
        needs_dst and negative_slope != 1.0,
    )
    return outputs[0]  # type: ignore[no-any-return]


@register_fake("sparsegnn::gat")
def _gat_fake(
    rowptr: Tensor,
    col: Tensor,
    edge_id: Tensor | None,
    t_rowptr: Tensor,
    t_col: Tensor,
    t_edge_id: Tensor | None,
    x: Tensor,
    s_dst: Tensor,
    s_src: Tensor,
    edge_score: Tensor | None,
    bits: Tensor | None,
    negative_slope: float,
    dropout: float,
    seed: Tensor | None,
    keep_positive: bool,
) -> tuple[Tensor, ...]:
    check_devices(rowptr, x, s_dst, s_src, edge_score, bits, seed)
    torch._check(x.dim() == 3, lambda: f"x must have 3 dimensions, got shape {list(x.shape)}.")
    targets, heads, width = rowptr.shape[0] - 1, x.shape[1], x.shape[2]
    kept = targets if keep_positive else 0
    stats = [x.new_empty(n, heads, dtype=acc_dtype(x.dtype)) for n in (targets, targets, kept)]
    y, positive = x.new_empty(targets, heads, width), x.new_empty(kept, heads, width)
    return y, stats[0], stats[1], positive, stats[2]


def _gat_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    *tensors, ctx.slope, ctx.dropout, seed, _ = inputs
    ctx.mark_non_differentiable(*output[1:])
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*tensors, seed, *output)


def _gat_backward(ctx: Any, grad: Tensor | None, *_: Any) -> tuple[Tensor | None, ...]:
    if grad is None:
        return (None,) * 15
    *csr, x, s_dst, s_src, edge_score, bits, seed = ctx.saved_tensors[:12]
    grad = grad.contiguous()
    stats, grad_dst = torch.ops.sparsegnn.gat_grad_targets.default(
        grad, s_dst, *ctx.saved_tensors[12:], ctx.slope
    )
    free_saved(ctx)
    needs_score = ctx.needs_input_grad[9]
    grad_x, grad_src, grad_score = torch.ops.sparsegnn.gat_grad.default(
        *csr,
        *(grad, stats, x, s_src, edge_score, bits),
        *(ctx.slope, ctx.dropout, seed, needs_score),
    )
    score = grad_score if needs_score else None
    return (None,) * 6 + (grad_x, grad_dst, grad_src, score) + (None,) * 5


torch.library.register_autograd("sparsegnn::gat", _gat_backward, setup_context=_gat_context)


@register_fake("sparsegnn::gat_grad_targets")
def _targets_fake(
    grad: Tensor,
    s_dst: Tensor,
    y: Tensor,
    row_max: Tensor,
    inv_sum: Tensor,
    positive: Tensor,
    positive_weight: Tensor,
    negative_slope: float,
) -> tuple[Tensor, Tensor]:
    check_devices(grad, s_dst, y, row_max, inv_sum, positive, positive_weight)
    return s_dst.new_empty(s_dst.shape[0], 4 * s_dst.shape[1]), torch.empty_like(s_dst)


@register_fake("sparsegnn::gat_grad")
def _grad_fake(
    rowptr: Tensor,
    col: Tensor,
    edge_id: Tensor | None,
    t_rowptr: Tensor,
    t_col: Tensor,
    t_edge_id: Tensor | None,
    grad: Tensor,
    stats: Tensor,
    x: Tensor,
    s_src: Tensor,
    edge_score: Tensor | None,
    bits: Tensor | None,
    negative_slope: float,
    dropout: float,
    seed: Tensor | None,
    score_grad: bool,
) -> tuple[Tensor, ...]:
    check_devices(rowptr, grad, stats, x, s_src, edge_score, bits)
    edges = col.shape[0] if score_grad else 0
    score = s_src.new_empty(edges, x.shape[1])
    return torch.empty_like(x), torch.empty_like(s_src), score


def no_second_derivative(ctx: Any, *grads: Any) -> NoReturn:
    """Stands in for the derivative that the fused operators do not define."""
    raise RuntimeError(
        "fused attention has no second derivative: compose edge_scores, edge_softmax and spmm."
    )


torch.library.register_autograd("sparsegnn::gat_grad_targets", no_second_derivative)
torch.library.register_autograd("sparsegnn::gat_grad", no_second_derivative)
