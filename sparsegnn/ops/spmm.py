"""Masked sparse-dense products: message passing without messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from sparsegnn.ops import spmm_derivative as spmm_derivative  # registers it
from sparsegnn.ops._edge_values import EdgeMask, split_mask
from sparsegnn.ops._library import as_acc, call

if TYPE_CHECKING:
    from sparsegnn.graph import CsrTensors, Graph


def spmm(
    g: Graph,
    x: Tensor,
    edge_weight: Tensor | None = None,
    edge_mask: EdgeMask = None,
    *,
    reduce: Literal["sum", "mean"] = "sum",
    row_scale: Tensor | None = None,
    col_scale: Tensor | None = None,
    bias: Tensor | None = None,
    relu: bool = False,
    transpose: bool = False,
) -> Tensor:
    """Aggregates source features over the kept edges of every target.

    `y[i] = act(row_scale[i] * sum_e edge_weight[e] * edge_mask[e] * col_scale[j] * x[j] + bias)`
    over the kept edges e = (j -> i). A dropped edge is absent: NaN behind it does not reach y.

    Args:
        g: Graph with M targets, K sources and E edges.
        x: `[K, F]`, float32, float64, float16 or bfloat16; sums are taken in float32 (float64 for
            float64).
        edge_weight: `[E]` in the edges' own order.
        edge_mask: `[E]`: bool or `Mask` drops edges, floating point scales them.
        reduce: "sum", or "mean" over the kept edges; a target without any gets zero.
        row_scale: `[M]`.
        col_scale: `[K]`.
        bias: `[F]`.
        relu: Whether to clamp at zero at the end.
        transpose: Aggregate over targets instead: x is then `[M, F]` and y `[K, F]`.

    Returns:
        `[M, F]` of the dtype of x.

    Raises:
        ValueError: A shape, dtype or device does not fit; the message names the argument.

    Deterministic, whatever the number of threads. Differentiable, any number of times, in x,
    edge_weight, a floating edge_mask, the scales and bias.
    """
    if reduce not in ("sum", "mean"):
        raise ValueError(f"reduce must be 'sum' or 'mean', got {reduce!r}.")
    csr = g.csr.transposed() if transpose else g.csr
    soft, bits = split_mask(edge_mask, g.num_edges)
    weight = as_acc(edge_weight, x.dtype)
    rows, cols = as_acc(row_scale, x.dtype), as_acc(col_scale, x.dtype)
    if _requires_grad(rows, cols):
        weight, rows, cols = _fold_scales(csr, weight, rows, cols)
    return call(  # type: ignore[no-any-return]
        torch.ops.sparsegnn.spmm.default,
        *csr,
        x,
        weight,
        as_acc(soft, x.dtype),
        bits,
        rows,
        cols,
        as_acc(bias, x.dtype),
        reduce == "mean",
        relu,
    )


def _requires_grad(*tensors: Tensor | None) -> bool:
    return torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)


def _fold_scales(
    csr: CsrTensors, weight: Tensor | None, rows: Tensor | None, cols: Tensor | None
) -> tuple[Tensor, None, None]:
    """Moves scales that need a gradient into the edge weights, where they get one."""
    reference = rows if rows is not None else cols
    assert reference is not None
    left = reference.new_ones(csr.rowptr.numel() - 1) if rows is None else rows
    right = reference.new_ones(csr.t_rowptr.numel() - 1) if cols is None else cols
    folded = torch.ops.sparsegnn.sddmm.default(
        *csr, left.unsqueeze(1), right.unsqueeze(1), weight, None, None, None
    )
    return folded, None, None
