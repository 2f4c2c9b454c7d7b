"""Fused graph attention whose scores see both ends of an edge together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sparsegnn.ops._autocast import autocast
from sparsegnn.ops._edge_values import EdgeMask, split_bits
from sparsegnn.ops._library import acc_dtype, as_acc, call, check_devices, register_fake
from sparsegnn.ops._typed import typed
from sparsegnn.ops.dropout import Seed, seed_tensor
from sparsegnn.ops.gat import no_second_derivative

if TYPE_CHECKING:
    from sparsegnn.graph import Graph


@typed
def gatv2(
    g: Graph,
    x: Tensor,
    x_dst: Tensor,
    att: Tensor,
    edge_mask: EdgeMask = None,
    *,
    negative_slope: float = 0.2,
    dropout: float = 0.0,
    seed: Seed = None,
) -> Tensor:
    """Attention over the kept edges of every target (Brody et al., arXiv 2105.14491, equation 7).

    `y[i, h] = sum_e alpha[e, h] * x[j, h]` over the kept edges e = (j -> i), where alpha is the
    softmax over them of `sum_d att[h, d] * leaky_relu(x_dst[i, h, d] + x[j, h, d])`. Nothing of
    size E is stored between forward and backward: scores and weights are computed again from a
    maximum and a sum per target and head.

    Args:
        g: Graph with M targets, K sources and E edges.
        x: `[K, H, D]`, float32, float64, float16 or bfloat16; sums are taken in float32 (float64
            for float64).
        x_dst: `[M, H, D]` of the dtype of x.
        att: `[H, D]`, any floating dtype.
        edge_mask: `[E]`, bool or `Mask`: dropped edges are absent.
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

    Deterministic, whatever the number of threads. Differentiable once, in x, x_dst and att: a
    second derivative raises a RuntimeError. Under `torch.autocast` x and x_dst are cast to its
    dtype (float64 is left alone).
    """
    x, x_dst = autocast(x), autocast(x_dst)
    outputs = call(
        torch.ops.sparsegnn.gatv2.default,
        *g.csr,
        x.contiguous(),
        x_dst.contiguous(),
        as_acc(att, x.dtype),
        split_bits(edge_mask, g.num_edges),
        negative_slope,
        dropout,
        seed_tensor(seed, x.device) if dropout > 0.0 else None,
    )
    return outputs[0]  # type: ignore[no-any-return]


@register_fake("sparsegnn::gatv2")
def _gatv2_fake(
    rowptr: Tensor,
    col: Tensor,
    edge_id: Tensor | None,
    t_rowptr: Tensor,
    t_col: Tensor,
    t_edge_id: Tensor | None,
    x: Tensor,
    x_dst: Tensor,
    att: Tensor,
    bits: Tensor | None,
    negative_slope: float,
    dropout: float,
    seed: Tensor | None,
) -> tuple[Tensor, ...]:
    check_devices(rowptr, x, x_dst, att, bits, seed)
    torch._check(x.dim() == 3, lambda: f"x must have 3 dimensions, got shape {list(x.shape)}.")
    targets, heads, width = rowptr.shape[0] - 1, x.shape[1], x.shape[2]
    row_max, inv_sum = (x.new_empty(targets, heads, dtype=acc_dtype(x.dtype)) for _ in range(2))
    return x.new_empty(targets, heads, width), row_max, inv_sum


def _gatv2_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    *tensors, ctx.slope, ctx.dropout, seed = inputs
    ctx.mark_non_differentiable(*output[1:])
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*tensors, *output, seed)


def _gatv2_backward(ctx: Any, grad: Tensor | None, *_: Any) -> tuple[Tensor | None, ...]:
    if grad is None:
        return (None,) * 13
    *saved, seed = ctx.saved_tensors
    grads = torch.ops.sparsegnn.gatv2_grad.default(
        *saved[:6], grad.contiguous(), *saved[6:], ctx.slope, ctx.dropout, seed
    )
    return (None,) * 6 + tuple(grads) + (None,) * 4


torch.library.register_autograd("sparsegnn::gatv2", _gatv2_backward, setup_context=_gatv2_context)


@register_fake("sparsegnn::gatv2_grad")
def _grad_fake(
    rowptr: Tensor,
    col: Tensor,
    edge_id: Tensor | None,
    t_rowptr: Tensor,
    t_col: Tensor,
    t_edge_id: Tensor | None,
    grad: Tensor,
    x: Tensor,
    x_dst: Tensor,
    att: Tensor,
    bits: Tensor | None,
    y: Tensor,
    row_max: Tensor,
    inv_sum: Tensor,
    negative_slope: float,
    dropout: float,
    seed: Tensor | None,
) -> tuple[Tensor, ...]:
    check_devices(rowptr, grad, x, x_dst, att, bits, y, row_max, inv_sum)
    return torch.empty_like(x), torch.empty_like(x_dst), torch.empty_like(att)


torch.library.register_autograd("sparsegnn::gatv2_grad", no_second_derivative)
