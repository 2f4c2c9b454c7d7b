"""Aggregation followed by a selection in every row, as MaxK-GNN's layers have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from sparsegnn.ops._autocast import autocast
from sparsegnn.ops._edge_values import EdgeMask, split_mask
from sparsegnn.ops._library import as_acc, call, register_fake
from sparsegnn.ops._typed import check_tensor, typed
from sparsegnn.ops._vmap import needs_grad
from sparsegnn.ops.spmm import spmm
from sparsegnn.ops.spmm_derivative import spmm_fake
from sparsegnn.ops.topk_rows import checked_by, checked_count, topk_rows, topk_rows_fake

if TYPE_CHECKING:
    from sparsegnn.graph import Graph
    from sparsegnn.sparse_rows import SparseRows


@typed
def spmm_topk(
    g: Graph,
    x: Tensor,
    k: int,
    edge_weight: Tensor | None = None,
    edge_mask: EdgeMask = None,
    *,
    reduce: Literal["sum", "mean"] = "sum",
    row_scale: Tensor | None = None,
    col_scale: Tensor | None = None,
    bias: Tensor | None = None,
    relu: bool = False,
    by: Literal["value", "magnitude"] = "value",
    transpose: bool = False,
) -> SparseRows:
    """`topk_rows(spmm(g, x, ...), k)` (MaxK, Peng et al., ASPLOS 2024) without the rows between.

    Where no gradient is needed, on the CPU, a block of rows is selected from as soon as it is
    summed: the dense `[M, F]` is never stored. Otherwise, and on a GPU, it is a `spmm` and a
    `topk_rows`. The results are the same bits.

    Args:
        g: Graph with M targets, K sources and E edges.
        x: `[K, F]`, float32, float64, float16 or bfloat16.
        k: Entries to keep of every row, between 0 and F.
        edge_weight: `[E]` in the edges' own order.
        edge_mask: `[E]`: bool or `Mask` drops edges, floating point scales them.
        reduce: "sum", or "mean" over the kept edges; a target without any gets zeros.
        row_scale: `[M]`.
        col_scale: `[K]`.
        bias: `[F]`, added before the selection.
        relu: Whether to clamp at zero before the selection.
        by: Rank by "value" or by "magnitude"; ties and NaN as in `topk_rows`.
        transpose: Aggregate over targets instead.

    Returns:
        The kept entries of the `[M, F]` rows, columns ascending within a row.

    Raises:
        ValueError: A shape, dtype or device does not fit, or k is out of range; the message names
            the argument.

    Deterministic, whatever the number of threads. Differentiable as its two parts are: a gradient
    reaches x, edge_weight, a floating edge_mask, the scales and bias through the kept entries.
    Under `torch.autocast` x is cast to its dtype.
    """
    from sparsegnn.sparse_rows import SparseRows

    if reduce not in ("sum", "mean"):
        raise ValueError(f"reduce must be 'sum' or 'mean', got {reduce!r}.")
    check_tensor("x", x)
    magnitude = checked_by(by) == "magnitude"
    checked_count(k, "k")
    soft, bits = split_mask(edge_mask, g.num_edges)
    if x.device.type != "cpu" or needs_grad(x, edge_weight, soft, row_scale, col_scale, bias):
        y = spmm(
            g,
            x,
            edge_weight,
            edge_mask,
            reduce=reduce,
            row_scale=row_scale,
            col_scale=col_scale,
            bias=bias,
            relu=relu,
            transpose=transpose,
        )
        return topk_rows(y, k, by=by)
    x = autocast(x)
    values, ids = call(
        torch.ops.sparsegnn.spmm_topk.default,
        *(g.csr.transposed() if transpose else g.csr),
        x,
        as_acc(edge_weight, x.dtype),
        as_acc(soft, x.dtype),
        bits,
        as_acc(row_scale, x.dtype),
        as_acc(col_scale, x.dtype),
        as_acc(bias, x.dtype),
        reduce == "mean",
        relu,
        k,
        magnitude,
    )
    return SparseRows._wrap(values, ids, x.shape[1])


@register_fake("sparsegnn::spmm_topk")
def _spmm_topk_fake(
    rowptr: Tensor,
    col: Tensor,
    edge_id: Tensor | None,
    t_rowptr: Tensor,
    t_col: Tensor,
    t_edge_id: Tensor | None,
    x: Tensor,
    weight: Tensor | None,
    mask: Tensor | None,
    bits: Tensor | None,
    row_scale: Tensor | None,
    col_scale: Tensor | None,
    bias: Tensor | None,
    mean: bool,
    relu: bool,
    k: int,
    magnitude: bool,
) -> tuple[Tensor, Tensor]:
    csr = (rowptr, col, edge_id, t_rowptr, t_col, t_edge_id)
    values = (weight, mask, bits, row_scale, col_scale, bias)
    return topk_rows_fake(spmm_fake(*csr, x, *values, mean, relu), k, magnitude)
