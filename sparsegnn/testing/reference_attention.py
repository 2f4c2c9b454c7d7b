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
