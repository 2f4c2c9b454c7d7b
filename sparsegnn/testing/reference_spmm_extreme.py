"""Slow, obvious max and min aggregation in float64. It shares no code with the kernels."""

from __future__ import annotations

import torch
from torch import Tensor


def reference_spmm_extreme(
    edge_index: Tensor,
    num_dst: int,
    x: Tensor,
    edge_weight: Tensor | None = None,
    edge_mask: Tensor | None = None,
    *,
    smallest: bool = False,
    order: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Values and winning edges of `sparsegnn.ops.spmm(reduce="max" or "min")`, one at a time.

    `order` lists the edges as the graph stores them: among equals the first one wins. Products are
    rounded to float32 (float64 for float64), in which the kernels compare them.
    """
    kind = torch.float64 if x.dtype == torch.float64 else torch.float32
    y = torch.zeros(num_dst, x.shape[1], dtype=torch.float64)
    arg = torch.full((num_dst, x.shape[1]), -1, dtype=torch.int64)
    edges = range(edge_index.shape[1]) if order is None else order.tolist()
    for edge in edges:
        source, target = edge_index[:, edge].tolist()
        if edge_mask is not None and edge_mask.dtype == torch.bool and not bool(edge_mask[edge]):
            continue
        factor = torch.ones((), dtype=kind) if edge_weight is None else edge_weight[edge].to(kind)
        if edge_mask is not None and edge_mask.dtype != torch.bool:
            factor = factor * edge_mask[edge].to(kind)
        message = (factor * x[source].to(kind)).double()
        best = y[target]
        larger = message < best if smallest else message > best
        first_nan = message.isnan() & ~best.isnan()
        better = (arg[target] < 0) | larger | first_nan
        y[target] = torch.where(better, message, best)
        arg[target] = torch.where(better, edge, arg[target])
    return y, arg
