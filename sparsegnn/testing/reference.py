"""Slow, obvious float64 references. They share no code with the kernels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sparsegnn.testing.reference_dropout import reference_dropout


def reference_spmm(
    edge_index: Tensor,
    num_dst: int,
    x: Tensor,
    edge_weight: Tensor | None = None,
    edge_mask: Tensor | None = None,
    *,
    mean: bool = False,
    row_scale: Tensor | None = None,
    col_scale: Tensor | None = None,
    bias: Tensor | None = None,
    relu: bool = False,
    residual: Tensor | None = None,
    dropout: float = 0.0,
    seed: int = 0,
) -> Tensor:
    """`sparsegnn.ops.spmm`, one edge at a time in float64."""
    out = torch.zeros(num_dst, x.shape[1], dtype=torch.float64)
    kept = torch.zeros(num_dst, dtype=torch.float64)
    for edge, (source, target) in enumerate(edge_index.t().tolist()):
        value = 1.0
        if edge_mask is not None:
            if edge_mask.dtype == torch.bool and not bool(edge_mask[edge]):
                continue
            value = float(edge_mask[edge])
        if edge_weight is not None:
            value *= float(edge_weight[edge])
        if col_scale is not None:
            value *= float(col_scale[source])
        out[target] += value * x[source].double()
        kept[target] += 1
    if mean:
        out /= kept.clamp(min=1).unsqueeze(1)
    if row_scale is not None:
        out *= row_scale.double().unsqueeze(1)
    if bias is not None:
        out += bias.double()
    if relu:
        out = out.relu()
    if dropout:
        out = reference_dropout(out, dropout, seed)
    return out if residual is None else out + residual.double()


def reference_sddmm(
    edge_index: Tensor, a: Tensor, b: Tensor, edge_mask: Tensor | None = None
) -> Tensor:
    """`sparsegnn.ops.sddmm`, one edge at a time in float64."""
    out = torch.zeros(edge_index.shape[1], dtype=torch.float64)
    for edge, (source, target) in enumerate(edge_index.t().tolist()):
        value = 1.0 if edge_mask is None else float(edge_mask[edge])
        if value == 0.0:
            continue
        out[edge] = value * float((a[target].double() * b[source].double()).sum())
    return out


def reference_sparse_linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`sparsegnn.ops.sparse_linear` from the dense weight in float64."""
    out = x.double() @ weight.double().t()
    return out if bias is None else out + bias.double()


def reference_topk_mask(scores: Sequence[Tensor], k: int) -> list[Tensor]:
    """`sparsegnn.ops.topk_mask` by a Python sort on (is NaN, -score, position)."""
    flat = [value for score in scores for value in score.double().reshape(-1).tolist()]
    order = sorted(range(len(flat)), key=lambda i: (flat[i] != flat[i], -flat[i], i))
    # A NaN compares false with everything: rank NaNs by position on their own.
    numbers = [i for i in order if flat[i] == flat[i]]
    numbers.sort(key=lambda i: (-flat[i], i))
    nans = [i for i in range(len(flat)) if flat[i] != flat[i]]
    keep = torch.zeros(len(flat), dtype=torch.bool)
    keep[torch.tensor((numbers + nans)[:k], dtype=torch.int64)] = True
    parts = keep.split([score.numel() for score in scores])
    return [part.reshape(score.shape) for part, score in zip(parts, scores, strict=True)]
