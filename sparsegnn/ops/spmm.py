"""Masked sparse-dense products: message passing without messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from sparsegnn.ops import spmm_derivative as spmm_derivative  # registers it
from sparsegnn.ops._autocast import autocast
from sparsegnn.ops._edge_values import EdgeMask, split_mask
from sparsegnn.ops._library import as_acc, call
from sparsegnn.ops._typed import check_tensor, typed
from sparsegnn.ops._vmap import needs_grad
from sparsegnn.ops.dropout import Seed, seed_tensor
from sparsegnn.ops.dropout import dropout as apply_dropout
from sparsegnn.ops.spmm_extreme import spmm_extreme
from sparsegnn.ops.spmm_rows import spmm_rows

if TYPE_CHECKING:
    from sparsegnn.graph import CsrTensors, Graph
    from sparsegnn.sparse_rows import SparseRows


@typed
def spmm(
    g: Graph,
    x: Tensor | SparseRows,
    edge_weight: Tensor | None = None,
    edge_mask: EdgeMask = None,
    *,
    reduce: Literal["sum", "mean", "max", "min"] = "sum",
    row_scale: Tensor | None = None,
    col_scale: Tensor | None = None,
    bias: Tensor | None = None,
    relu: bool = False,
    residual: Tensor | None = None,
    dropout: float = 0.0,
    seed: Seed = None,
    out_dtype: torch.dtype | None = None,
    transpose: bool = False,
) -> Tensor:
    """Aggregates source features over the kept edges of every target.

    `y[i] = residual[i] + dropout(act(row_scale[i] * s[i] + bias))`, where
    `s[i] = sum_e edge_weight[e] * edge_mask[e] * col_scale[j] * x[j]` over the kept edges
    e = (j -> i). A dropped edge is absent: NaN behind it does not reach y. Sums and
    the epilogue are taken in float32 (float64 for float64).

    With `reduce="max"` or "min", s[i] is the largest or smallest of the messages
    `edge_weight[e] * edge_mask[e] * x[j]`, column by column, and the gradient flows along the edge
    that gave it: among equals the first that the graph stores; NaN beats every number, as in
    `torch.amax`. The epilogue is then computed from rounded values by operators of its own, and
    the scales are refused. Without gradients the winning edges are not even recorded.

    Args:
        g: Graph with M targets, K sources and E edges.
        x: `[K, F]`, float32, float64, float16 or bfloat16; or `SparseRows` of that shape, of which
            only the stored entries are gathered (the epilogue is then computed from rounded sums);
            `SparseRows` says up to which k this is faster.
        edge_weight: `[E]` in the edges' own order.
        edge_mask: `[E]`: bool or `Mask` drops edges, floating point scales them.
        reduce: "sum", or "mean", "max" or "min" over the kept edges; a target without any gets
            zero.
        row_scale: `[M]`.
        col_scale: `[K]`.
        bias: `[F]`.
        relu: Whether to clamp the sum at zero.
        residual: `[M, F]` of the dtype of y, added last.
        dropout: Probability of zeroing an element, rounded to a multiple of 2^-16; the others are
            scaled so that the mean is kept. Apply it in training only.
        seed: An integer or an int64 tensor of shape `[1]` that fixes which elements drop, as
            `sparsegnn.ops.dropout` does; by default a draw from torch's generator.
        out_dtype: dtype of y, by default that of x; float64 only for float64.
        transpose: Aggregate over targets instead: x is then `[M, F]` and y `[K, F]`.

    Returns:
        `[M, F]` of `out_dtype`.

    Raises:
        ValueError: A shape, dtype or device does not fit, or max and min are asked for with scales
            or of sparse rows; the message names the argument.

    Deterministic, whatever the number of threads. Differentiable, any number of times, in x,
    edge_weight, a floating edge_mask, the scales, bias and residual; the derivative draws the
    dropped elements again instead of storing them. Under `torch.autocast` x and residual are cast
    to its dtype (float64 is left alone); edge values, scales and bias stay as they are.
    """
    if reduce not in ("sum", "mean", "max", "min"):
        raise ValueError(f"reduce must be 'sum', 'mean', 'max' or 'min', got {reduce!r}.")
    if reduce in ("max", "min"):
        _check_extreme(reduce, x, row_scale, col_scale)
    if not isinstance(x, Tensor):
        sums = spmm_rows(
            g,
            x,
            edge_weight,
            edge_mask,
            mean=reduce == "mean",
            row_scale=row_scale,
            col_scale=col_scale,
            transpose=transpose,
        )
        return _epilogue(sums, bias, relu, residual, dropout, seed, out_dtype)
    x = autocast(x)
    if residual is not None:
        residual = autocast(residual, out_dtype or x.dtype)
    csr = g.csr.transposed() if transpose else g.csr
    soft, bits = split_mask(edge_mask, g.num_edges)
    weight = as_acc(edge_weight, x.dtype)
    if reduce in ("max", "min"):
        values = (weight, as_acc(soft, x.dtype), bits)
        best = spmm_extreme(csr, x, *values, smallest=reduce == "min")
        return _epilogue(best, bias, relu, residual, dropout, seed, out_dtype)
    rows, cols = as_acc(row_scale, x.dtype), as_acc(col_scale, x.dtype)
    if needs_grad(rows, cols):
        weight, rows, cols = _fold_scales(csr, weight, rows, cols)
    fused = None if relu and needs_grad(x, weight, soft, bias, residual) else residual
    y: Tensor = call(
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
        fused,
        dropout,
        seed_tensor(seed, x.device) if dropout != 0 else None,
        out_dtype,
    )
    return y if fused is residual or residual is None else _add_residual(y, residual)


def _check_extreme(reduce: str, x: Tensor | SparseRows, *scales: Tensor | None) -> None:
    if not isinstance(x, Tensor):
        raise ValueError(f"x must be a dense tensor for reduce={reduce!r}, got SparseRows.")
    for name, scale in zip(("row_scale", "col_scale"), scales, strict=True):
        if scale is not None:
            raise ValueError(f"{name} must be None for reduce={reduce!r}, got a tensor.")


def _epilogue(
    y: Tensor,
    bias: Tensor | None,
    relu: bool,
    residual: Tensor | None,
    dropout: float,
    seed: Seed,
    out_dtype: torch.dtype | None,
) -> Tensor:
    """The epilogue as operators of its own, for sums that no kernel fuses with it."""
    y = y.to(out_dtype or y.dtype)
    residual = residual if residual is None else autocast(residual, y.dtype)
    if bias is not None:
        check_tensor("bias", bias, y.device, floating=True)
        if bias.shape != y.shape[1:]:
            raise ValueError(f"bias must have shape {list(y.shape[1:])}, got {list(bias.shape)}.")
        y = y + bias.to(y.dtype)
    y = y.relu() if relu else y
    y = y if dropout == 0 else apply_dropout(y, dropout, seed)
    return y if residual is None else _add_residual(y, residual)


def _add_residual(y: Tensor, residual: Tensor) -> Tensor:
    """Outside of the operator, whose derivative takes the sign of ReLU from its output."""
    if residual.shape != y.shape or residual.dtype != y.dtype:
        raise ValueError(
            f"residual must have shape {list(y.shape)} and dtype {y.dtype}, got "
            f"{list(residual.shape)} and {residual.dtype}."
        )
    return y + residual


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
