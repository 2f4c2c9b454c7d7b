"""Slow, obvious softmax aggregation in float64. It shares no code with the kernels."""

from __future__ import annotations

import torch
from torch import Tensor


def reference_softmax_aggregate(
    edge_index: Tensor,
    num_dst: int,
    x: Tensor,
    t: Tensor | float = 1.0,
    edge_mask: Tensor | None = None,
    *,
    eps: float | None = None,
) -> Tensor:
    """`sparsegnn.ops.softmax_aggregate`, one target at a time; differentiable."""
    wide = x.double()
    message = wide if eps is None else wide.relu() + eps
    factor = t.double() if isinstance(t, Tensor) else t
    kept = torch.ones(edge_index.shape[1], dtype=torch.bool) if edge_mask is None else edge_mask
    rows = []
    for target in range(num_dst):
        edges = ((edge_index[1] == target) & kept).nonzero().squeeze(1)
        own = message[edge_index[0, edges]]
        rows.append(((own * factor).softmax(dim=0) * own).sum(dim=0))
    return torch.stack(rows) if rows else message[:0] * factor
