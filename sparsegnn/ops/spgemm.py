"""Products of two sparse matrices, with gradients in both."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from sparsegnn.ops import spmm_rows_derivative as spmm_rows_derivative  # registers it
from sparsegnn.ops._autocast import autocast
from sparsegnn.ops._library import as_acc, call
from sparsegnn.ops._typed import typed

if TYPE_CHECKING:
    from sparsegnn.graph import CsrTensors
    from sparsegnn.sparse_matrix import SparseMatrix
    from sparsegnn.sparse_rows import SparseRows
    from sparsegnn.sparse_weight import SparseWeight

    Sparse: TypeAlias = SparseMatrix | SparseRows | SparseWeight

# (row pointer or None, ids, values, columns): how the native operators take a sparse operand.
_Operand = tuple[Tensor | None, Tensor, Tensor, int]


@typed
def spgemm(a: Sparse, b: Sparse, *, transpose_b: bool = False) -> Tensor:
    """`a @ b` of two sparse matrices, dense.

    `y[i] = sum over the stored a[i, j] of a[i, j] * b[j]`: an entry that is not stored takes no
    part, so a NaN or Inf in `a` meets stored entries of `b` only (Gustavson, 1978).

    Args:
        a: `[N, K]`; its dtype is that of the result, sums are taken in float32 (float64 for
            float64).
        b: `[K, O]`; its values are converted to the dtype of a.
        transpose_b: Whether b is given as `[O, K]`, as the weights of linear layers are.

    Returns:
        `[N, O]` of the dtype of a.

    Raises:
        ValueError: The inner sizes or the devices differ.

    Deterministic, whatever the number of threads. Differentiable, any number of times, in the
    values of both: gradients exist at stored entries only. Under `torch.autocast` both are cast to
    its dtype unless a is float64.
    """
    csr, weight = _left(a)
    weight = autocast(weight)
    rowptr, ids, values, columns = _right(b, transpose_b, weight.dtype)
    inner = ids.shape[0] if rowptr is None else rowptr.shape[0] - 1
    if a.shape[1] != inner:
        raise ValueError(f"b must have {a.shape[1]} rows, the columns of a, got {inner}.")
    if values.device != a.values.device:
        raise ValueError(f"b must be on the device of a, {a.values.device}, got {values.device}.")
    nothing = (None, None, None)
    return call(  # type: ignore[no-any-return]
        torch.ops.sparsegnn.spmm_rows.default,
        *csr,
        rowptr,
        ids,
        values,
        columns,
        as_acc(weight, values.dtype),
        *nothing,
    )


def _left(a: Sparse) -> tuple[CsrTensors, Tensor]:
    """The pattern and the values of a, the values in the pattern's edge order."""
    from sparsegnn.graph import _INT32_LIMIT, CsrTensors
    from sparsegnn.sparse_matrix import SparseMatrix
    from sparsegnn.sparse_rows import SparseRows

    if isinstance(a, SparseMatrix):
        return a.pattern.csr, a.values
    if not isinstance(a, SparseRows):
        return a.csr, a.values
    rows, k = a.values.shape
    dtype = torch.int32 if max(rows * k, a.num_cols) <= _INT32_LIMIT else torch.int64
    rowptr = torch.arange(rows + 1, dtype=dtype, device=a.device) * k
    col = a.ids.reshape(-1).to(dtype)
    pattern = CsrTensors(rowptr, col, None, None, None, None)  # type: ignore[arg-type]
    return pattern, a.values.reshape(-1)


def _right(b: Sparse, transpose: bool, dtype: torch.dtype) -> _Operand:
    from sparsegnn.sparse_matrix import SparseMatrix
    from sparsegnn.sparse_rows import SparseRows

    if isinstance(b, SparseRows):
        if not transpose:
            return None, b.ids.contiguous(), b.values.to(dtype).contiguous(), b.num_cols
        b = b.to_sparse_matrix()
    csr = b.pattern.csr if isinstance(b, SparseMatrix) else b.csr
    rowptr, col, edge = csr[3:] if transpose else csr[:3]
    values = b.values if edge is None else b.values[edge.long()]
    return rowptr, col, values.to(dtype).contiguous(), b.shape[0] if transpose else b.shape[1]
