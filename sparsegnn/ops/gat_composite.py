"""Graph attention composed of other operators: what runs on a GPU.

Stores values per edge and head, never a row per edge.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sparsegnn.graph import CsrTensors


def gat_composite(*arguments: Any) -> tuple[Tensor, ...]:
    """The same value from other operators, one aggregation per head."""
    csr = CsrTensors(*arguments[:6])
    x, s_dst, s_src, edge_score, bits, slope, dropout, seed, keep = arguments[6:]
    alpha, _ = _weights(csr, s_dst, s_src, edge_score, bits, slope)
    dropped = torch.ops.sparsegnn.dropout.default(alpha, dropout, seed) if dropout > 0 else alpha
    y = aggregate(csr, x, dropped, bits)
    kept = y.shape[0] if keep else 0
    stats = [s_dst.new_zeros(n, x.shape[1]) for n in (y.shape[0], y.shape[0], kept)]
    return y, stats[0], stats[1], torch.zeros_like(y[:kept]), stats[2]


def gat_grad_composite(*arguments: Any) -> tuple[Tensor, ...]:
    """The gradients from other operators; what the forward saved is not read."""
    csr = CsrTensors(*arguments[:6])
    grad, x, s_dst, s_src, edge_score, bits = arguments[6:12]
    slope, dropout, seed, score_grad = arguments[17:]
    ops = torch.ops.sparsegnn
    alpha, total = _weights(csr, s_dst, s_src, edge_score, bits, slope)
    dots = [
        ops.sddmm.default(*csr, grad[:, h], x[:, h], None, bits, None, None)
        for h in range(x.shape[1])
    ]
    inner = torch.stack(dots, 1) if dots else torch.zeros_like(alpha)
    dropped = alpha
    if dropout > 0:
        inner = ops.dropout.default(inner, dropout, seed)
        dropped = ops.dropout.default(alpha, dropout, seed)
    change = ops.edge_softmax_grad.default(*csr, alpha, inner, bits)
    change = torch.where(total > 0, change, change * slope)
    grad_x = aggregate(csr.transposed(), grad, dropped, bits)
    grad_dst = ops.edge_sum.default(*csr, change, bits)
    grad_src = ops.edge_sum.default(*csr.transposed(), change, bits)
    return grad_x, grad_dst, grad_src, change if score_grad else change[:0].clone()


def _weights(
    csr: CsrTensors,
    s_dst: Tensor,
    s_src: Tensor,
    edge_score: Tensor | None,
    bits: Tensor | None,
    slope: float,
) -> tuple[Tensor, Tensor]:
    """Softmax weights and the sums before the activation, `[E, H]`."""
    ops = torch.ops.sparsegnn
    total = ops.edge_scores.default(*csr, s_dst, s_src, bits, 1.0)
    if edge_score is not None:
        total = total + edge_score
    scores = torch.where(total > 0, total, total * slope)
    return ops.edge_softmax.default(*csr, scores, bits), total


def aggregate(csr: CsrTensors, x: Tensor, weight: Tensor, bits: Tensor | None) -> Tensor:
    """`[M, H, D]`: the rows of x `[K, H, D]` weighted by `[E, H]`."""
    y = x.new_empty(csr.rowptr.shape[0] - 1, x.shape[1], x.shape[2])
    nothing = (None, None, None)
    for head in range(x.shape[1]):
        values = weight[:, head].contiguous()
        y[:, head] = torch.ops.sparsegnn.spmm.default(
            *csr, x[:, head], values, None, bits, *nothing, False, False
        )
    return y
