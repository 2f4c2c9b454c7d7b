"""Products of two sparse matrices whose result is sparse."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from sparsegnn.ops import spgemm_derivative as spgemm_derivative  # registers it
from sparsegnn.ops._library import as_acc, call

if TYPE_CHECKING:
    from sparsegnn.sparse_matrix import SparseMatrix


class Stored(NamedTuple):
    """A CSR operand, its values in stored order."""

    rowptr: Tensor
    col: Tensor
    values: Tensor
    num_cols: int


def product(a: Stored, b: Stored) -> SparseMatrix:
    """`a @ b` in CSR: the sizes of the rows, their columns, the values."""
    from sparsegnn.sparse_matrix import SparseMatrix

    index = _index_dtype(a, b)
    patterns = [part.to(index) for part in (a.rowptr, a.col, b.rowptr, b.col)]
    operators = torch.ops.sparsegnn
    sizes = call(operators.spgemm_sizes.default, *patterns, b.num_cols)
    ends = torch.cat((sizes.new_zeros(1), sizes.cumsum(0)))
    rowptr = ends.to(index)
    nnz = int(ends[-1].item())
    torch._check(nnz >= 0)
    col = rowptr.new_empty(nnz)
    call(operators.spgemm_columns.default, *patterns, rowptr, col, b.num_cols)
    values = call(
        operators.spgemm_values.default,
        *patterns[:2],
        as_acc(a.values, b.values.dtype),
        *patterns[2:],
        b.values,
        rowptr,
        col,
        b.num_cols,
    )
    return SparseMatrix._from_stored(rowptr, col, values, b.num_cols)


def _index_dtype(a: Stored, b: Stored) -> torch.dtype:
    """int32 when all operands use it and the result cannot outgrow it."""
    from sparsegnn.graph import _INT32_LIMIT

    rows = min(a.rowptr.shape[0] - 1, a.col.shape[0])
    wide = torch.int64 in (a.rowptr.dtype, b.rowptr.dtype)
    return torch.int64 if wide or rows * b.num_cols > _INT32_LIMIT else torch.int32
