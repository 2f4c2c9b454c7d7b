"""Slow, obvious float64 gradients of aggregations. They share no code with the kernels."""

from __future__ import annotations

import torch
from torch import Tensor


def reference_spmm_grad(
    edge_index: Tensor,
    grad: Tensor,
    x: Tensor,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    row_scale: Tensor | None = None,
    col_scale: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The operator `spmm_grad`, one edge at a time in float64; a bool mask drops edges."""
    dx = torch.zeros(x.shape, dtype=torch.float64)
    dots = torch.zeros(edge_index.shape[1], dtype=torch.float64)
    for edge, (source, target) in enumerate(edge_index.t().tolist()):
        if mask is not None and mask.dtype == torch.bool and not bool(mask[edge]):
            continue
        coefficient = 1.0 if weight is None else float(weight[edge])
        if mask is not None:
            coefficient *= float(mask[edge])
        scale = 1.0 if row_scale is None else float(row_scale[target])
        if col_scale is not None:
            scale *= float(col_scale[source])
        dx[source] += coefficient * scale * grad[target].double()
        dots[edge] = scale * float((grad[target].double() * x[source].double()).sum())
    return dx, dots
