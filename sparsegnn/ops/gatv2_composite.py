"""GATv2's attention composed of other operators: what runs on a GPU.

Stores rows per edge for one head at a time.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sparsegnn.graph import CsrTensors
from sparsegnn.ops._library import acc_dtype


def gatv2_composite(*arguments: Any) -> tuple[Tensor, ...]:
    """The same value from other operators, one head at a time."""
    csr = CsrTensors(*arguments[:6])
    x, x_dst, att, bits, slope, dropout, seed = arguments[6:]
    alpha = _weights(csr, x, x_dst, att, bits, slope)
    dropped = torch.ops.sparsegnn.dropout.default(alpha, dropout, seed) if dropout > 0 else alpha
    y = _aggregate(csr, x, dropped, bits)
    stats = [alpha.new_zeros(y.shape[:2]) for _ in range(2)]
    return y, *stats


def gatv2_grad_composite(*arguments: Any) -> tuple[Tensor, ...]:
    """The gradients from other operators; what the forward saved is not read."""
    csr = CsrTensors(*arguments[:6])
    grad, x, x_dst, att, bits = arguments[6:11]
    slope, dropout, seed = arguments[14:]
    ops = torch.ops.sparsegnn
    alpha = _weights(csr, x, x_dst, att, bits, slope)
    inner = torch.zeros_like(alpha)
    for h in range(x.shape[1]):
        inner[:, h] = ops.sddmm.default(*csr, grad[:, h], x[:, h], None, bits, None, None)
    dropped = alpha
    if dropout > 0:
        inner = ops.dropout.default(inner, dropout, seed)
        dropped = ops.dropout.default(alpha, dropout, seed)
    change = ops.edge_softmax_grad.default(*csr, alpha, inner, bits)
    grad_x = _aggregate(csr.transposed(), grad, dropped, bits)
    grad_dst, grad_att = torch.empty_like(x_dst), torch.empty_like(att)
    for h in range(x.shape[1]):
        total = _sums(csr, x[:, h], x_dst[:, h])
        steps = change[:, h : h + 1] * torch.where(total > 0, 1.0, slope)
        steps = torch.where(change[:, h : h + 1] == 0, 0.0, steps)
        grad_att[h] = torch.where(steps == 0, 0.0, steps * total).sum(0)
        along = (steps * att[h]).contiguous()
        grad_dst[:, h] = ops.edge_sum.default(*csr, along, bits)
        grad_x[:, h] += ops.edge_sum.default(*csr.transposed(), along, bits)
    return grad_x, grad_dst, grad_att


def _weights(
    csr: CsrTensors, x: Tensor, x_dst: Tensor, att: Tensor, bits: Tensor | None, slope: float
) -> Tensor:
    """Softmax weights `[E, H]`."""
    scores = att.new_empty(csr.col.shape[0], x.shape[1])
    for h in range(x.shape[1]):
        total = _sums(csr, x[:, h], x_dst[:, h])
        scores[:, h] = torch.where(total > 0, total, total * slope) @ att[h]
    return torch.ops.sparsegnn.edge_softmax.default(*csr, scores, bits)  # type: ignore[no-any-return]


def _sums(csr: CsrTensors, x: Tensor, x_dst: Tensor) -> Tensor:
    """`x[source] + x_dst[target]` `[E, D]` in the edges' own order, in the type of sums."""
    rows = torch.arange(csr.rowptr.shape[0] - 1, device=x.device)
    target = rows.repeat_interleave(csr.rowptr.diff(), output_size=csr.col.shape[0])
    acc = acc_dtype(x.dtype)
    stored = x[csr.col].to(acc) + x_dst[target].to(acc)
    if csr.edge_id is None:
        return stored
    return torch.empty_like(stored).index_copy_(0, csr.edge_id.long(), stored)


def _aggregate(csr: CsrTensors, x: Tensor, weight: Tensor, bits: Tensor | None) -> Tensor:
    """`[M, H, D]`: the rows of x `[K, H, D]` weighted by `[E, H]`."""
    y = x.new_empty(csr.rowptr.shape[0] - 1, x.shape[1], x.shape[2])
    nothing = (None, None, None)
    for head in range(x.shape[1]):
        values = weight[:, head].contiguous()
        y[:, head] = torch.ops.sparsegnn.spmm.default(
            *csr, x[:, head], values, None, bits, *nothing, False, False
        )
    return y
