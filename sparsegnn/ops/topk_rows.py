"""Exact selection of the largest entries of every row, and of a whole matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from sparsegnn.ops._library import call, register_fake
from sparsegnn.ops._typed import typed
from sparsegnn.ops.spmm_rows import rows_to_dense

if TYPE_CHECKING:
    from sparsegnn.sparse_matrix import SparseMatrix
    from sparsegnn.sparse_rows import SparseRows


@typed
def topk_rows(x: Tensor, k: int, *, by: Literal["value", "magnitude"] = "value") -> SparseRows:
    """Keeps the k largest entries of every row (MaxK, Peng et al., ASPLOS 2024), exactly.

    Equal entries (+0 equals -0) are taken by lowest column; NaN ranks below every number, so it is
    kept only when k forces it.

    Args:
        x: `[N, F]`, float32, float64, float16 or bfloat16.
        k: Entries to keep of every row, between 0 and F.
        by: Rank by "value" or by "magnitude".

    Returns:
        The kept entries of x, columns ascending within a row.

    Raises:
        ValueError: k is out of range or x has the wrong shape or dtype.

    The same entries on every device and any thread count. Differentiable, any number of times: the
    gradient reaches x at the kept places and is zero elsewhere.
    """
    from sparsegnn.sparse_rows import SparseRows

    magnitude = checked_by(by) == "magnitude"
    values, ids = call(torch.ops.sparsegnn.topk_rows.default, x, checked_count(k, "k"), magnitude)
    return SparseRows._wrap(values, ids, x.shape[1])


@typed
def topk_matrix(
    x: Tensor, *, count: int | None = None, fraction: float | None = None
) -> SparseMatrix:
    """Keeps the entries of largest magnitude of a whole matrix, exactly `count` of them.

    Equal magnitudes are taken in row-major order; NaN ranks below every number.

    Args:
        x: `[N, F]`, float32, float64, float16 or bfloat16.
        count: Entries to keep, between 0 and N * F.
        fraction: Entries to keep as a part of N * F in [0, 1], rounded to the nearest count.

    Returns:
        A CSR matrix whose values require a gradient where x does; it reaches x at the kept places.

    Raises:
        ValueError: Not exactly one of count and fraction is given, or it is out of range.
    """
    from sparsegnn.graph import Graph
    from sparsegnn.ops.topk import topk_mask
    from sparsegnn.sparse_matrix import SparseMatrix

    if x.dim() != 2:
        raise ValueError(f"x must have 2 dimensions, got shape {list(x.shape)}.")
    (keep,) = topk_mask([x.detach().abs()], _count_of(x.numel(), count, fraction))
    row, col = keep.nonzero(as_tuple=True)
    rows, cols = x.shape
    pattern = Graph.from_edge_index(torch.stack([col, row]), num_src=cols, num_dst=rows)
    return SparseMatrix(pattern, x[row, col])


def checked_by(by: str) -> str:
    """`by`, or an error unless it is one of the two rankings."""
    if by not in ("value", "magnitude"):
        raise ValueError(f"by must be 'value' or 'magnitude', got {by!r}.")
    return by


def checked_count(count: int, name: str) -> int:
    """`count`, or an error unless it is an int."""
    if isinstance(count, bool) or not isinstance(count, int):
        raise TypeError(f"{name} must be an int, got {type(count).__name__}.")
    return count


def _count_of(size: int, count: int | None, fraction: float | None) -> int:
    if (count is None) == (fraction is None):
        raise ValueError("exactly one of count and fraction must be given, got both or none.")
    if count is not None:
        if not 0 <= checked_count(count, "count") <= size:
            raise ValueError(f"count must lie in [0, {size}], got {count}.")
        return count
    assert fraction is not None
    if not 0.0 <= fraction <= 1.0:
        raise ValueError(f"fraction must lie in [0, 1], got {fraction}.")
    return round(fraction * size)


@register_fake("sparsegnn::topk_rows")
def topk_rows_fake(x: Tensor, k: int, magnitude: bool) -> tuple[Tensor, Tensor]:
    """Shapes and dtypes of the kept entries of x, and of their columns."""
    from sparsegnn.sparse_rows import id_dtype

    torch._check(x.dim() == 2, lambda: f"x must have 2 dimensions, got shape {list(x.shape)}.")
    torch._check(k <= x.shape[1], lambda: f"k must lie in [0, {x.shape[1]}], got {k}.")
    shape = (x.shape[0], k)
    return x.new_empty(shape), x.new_empty(shape, dtype=id_dtype(x.shape[1]))


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    x, _, _ = inputs
    _, ids = output
    ctx.mark_non_differentiable(ids)
    ctx.save_for_backward(ids)
    ctx.shape = x.shape


def _backward(ctx: Any, grad: Tensor, _: Any) -> tuple[Tensor | None, ...]:
    (ids,) = ctx.saved_tensors
    return rows_to_dense(grad, ids, ctx.shape[1]), None, None


torch.library.register_autograd("sparsegnn::topk_rows", _backward, setup_context=_setup_context)
