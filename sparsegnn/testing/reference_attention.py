"""Slow, obvious float64 references of the attention operators, one edge at a time."""

from __future__ import annotations

import torch
from torch import Tensor


def _kept(edge_mask: Tensor | None, edges: int) -> list[bool]:
    return [True] * edges if edge_mask is None else [bool(keep) for keep in edge_mask]


def _leaky(value: Tensor, slope: float) -> Tensor:
    return torch.where(value > 0, value, slope * value)


def reference_edge_scores(
    edge_index: Tensor,
    s_dst: Tensor,
    s_src: Tensor,
    edge_mask: Tensor | None = None,
    negative_slope: float = 1.0,
) -> Tensor:
    """`sparsegnn.ops.edge_scores`."""
    edges = edge_index.shape[1]
    out = torch.zeros(edges, s_dst.shape[1], dtype=torch.float64)
    kept = _kept(edge_mask, edges)
    for edge, (source, target) in enumerate(edge_index.t().tolist()):
        if kept[edge]:
            out[edge] = _leaky(s_dst[target].double() + s_src[source].double(), negative_slope)
    return out


def reference_edge_softmax(
    edge_index: Tensor, num_dst: int, scores: Tensor, edge_mask: Tensor | None = None
) -> Tensor:
    """`sparsegnn.ops.edge_softmax` of scores `[E, H]`; differentiable."""
    kept = torch.tensor(_kept(edge_mask, edge_index.shape[1]), dtype=torch.bool)
    out = torch.zeros(scores.shape, dtype=torch.float64)
    for target in range(num_dst):
        edges = ((edge_index[1] == target) & kept).nonzero().squeeze(1)
        if edges.numel():
            out = out.index_copy(0, edges, scores[edges].double().softmax(dim=0))
    return out


def reference_gat(
    edge_index: Tensor,
    x: Tensor,
    s_dst: Tensor,
    s_src: Tensor,
    edge_mask: Tensor | None = None,
    edge_score: Tensor | None = None,
    *,
    negative_slope: float = 0.2,
    keep: Tensor | None = None,
) -> Tensor:
    """`sparsegnn.ops.gat` from dense per-edge tensors in float64; differentiable.

    Args:
        edge_index: `[2, E]`.
        x: `[K, H, D]`.
        s_dst: `[M, H]`.
        s_src: `[K, H]`.
        edge_mask: bool `[E]` or None.
        edge_score: `[E, H]` or None.
        negative_slope: Of LeakyReLU.
        keep: `[E, H]` factors of the weights: attention dropout.
    """
    source, target = edge_index
    score = s_dst.double()[target] + s_src.double()[source]
    if edge_score is not None:
        score = score + edge_score.double()
    return _attend(edge_index, x, _leaky(score, negative_slope), s_dst.shape[0], edge_mask, keep)


def reference_gatv2(
    edge_index: Tensor,
    x: Tensor,
    x_dst: Tensor,
    att: Tensor,
    edge_mask: Tensor | None = None,
    *,
    negative_slope: float = 0.2,
    keep: Tensor | None = None,
) -> Tensor:
    """`sparsegnn.ops.gatv2` from dense per-edge tensors in float64; differentiable.

    Args:
        edge_index: `[2, E]`.
        x: `[K, H, D]`.
        x_dst: `[M, H, D]`.
        att: `[H, D]`.
        edge_mask: bool `[E]` or None.
        negative_slope: Of LeakyReLU.
        keep: `[E, H]` factors of the weights: attention dropout.
    """
    source, target = edge_index
    both = _leaky(x.double()[source] + x_dst.double()[target], negative_slope)
    score = (both * att.double()).sum(2)
    return _attend(edge_index, x, score, x_dst.shape[0], edge_mask, keep)


def _attend(
    edge_index: Tensor,
    x: Tensor,
    score: Tensor,
    num_dst: int,
    edge_mask: Tensor | None,
    keep: Tensor | None,
) -> Tensor:
    source, target = edge_index
    weight = reference_edge_softmax(edge_index, num_dst, score, edge_mask)
    if keep is not None:
        weight = weight * keep.double()
    kept = torch.tensor(_kept(edge_mask, edge_index.shape[1]), dtype=torch.bool)
    messages = weight[kept].unsqueeze(2) * x.double()[source[kept]]
    out = torch.zeros(num_dst, *x.shape[1:], dtype=torch.float64)
    return out.index_add(0, target[kept], messages)
