"""Products of two sparse matrices, with gradients in both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, overload

import torch
from torch import Tensor

from sparsegnn.ops import spmm_rows_derivative as spmm_rows_derivative  # registers it
from sparsegnn.ops._autocast import autocast
from sparsegnn.ops._library import as_acc, call
from sparsegnn.ops._typed import typed
from sparsegnn.ops.spgemm_csr import Stored, product

if TYPE_CHECKING:
    from sparsegnn.graph import CsrTensors
    from sparsegnn.sparse_matrix import SparseMatrix
    from sparsegnn.sparse_rows import SparseRows
    from sparsegnn.sparse_weight import SparseWeight

    Sparse: TypeAlias = SparseMatrix | SparseRows | SparseWeight

# (row pointer or None, ids, values, columns): how the native operators take a sparse operand.
_Operand = tuple[Tensor | None, Tensor, Tensor, int]


@overload
def spgemm(
    a: Sparse, b: Sparse, *, transpose_b: bool = False, out: Literal["dense"] = "dense"
) -> Tensor: ...


@overload
def spgemm(
    a: Sparse, b: Sparse, *, transpose_b: bool = False, out: Literal["csr"]
) -> SparseMatrix: ...


@typed
def spgemm(
    a: Sparse, b: Sparse, *, transpose_b: bool = False, out: Literal["dense", "csr"] = "dense"
) -> Tensor | SparseMatrix:
    """`a @ b` of two sparse matrices, dense or sparse.

    `y[i] = sum over the stored a[i, j] of a[i, j] * b[j]`: an entry that is not stored takes no
    part, so a NaN or Inf in `a` meets stored entries of `b` only (Gustavson, 1978).

    Args:
        a: `[N, K]`; its dtype is that of the result, sums are taken in float32 (float64 for
            float64).
        b: `[K, O]`; its values are converted to the dtype of a.
        transpose_b: Whether b is given as `[O, K]`, as the weights of linear layers are.
        out: `"dense"`, or `"csr"` for a `SparseMatrix` that stores `(i, k)` wherever some `a[i, j]`
            and `b[j, k]` are stored, zero or not, with columns ascending in every row.

    Returns:
        `[N, O]` of the dtype of a.

    Raises:
        ValueError: The inner sizes or the devices differ, or out is neither of the two.

    Deterministic, whatever the number of threads. Differentiable, any number of times, in the
    values of both: gradients exist at stored entries only, and with `out="csr"` nothing dense of
    the size of the result is made in either direction. Under `torch.autocast` both are cast to its
    dtype unless a is float64.

    The size of a sparse result depends on the data: it is read back once, for which a GPU is waited
    for, so that the product cannot be captured in a CUDA graph. `torch.compile(fullgraph=True)`
    takes it with `torch._dynamo.config.capture_scalar_outputs = True`. The `pattern` of the result
    is made on the host when first asked for; `csr_arrays()` and `to_torch()` do without.
    """
    if out not in ("dense", "csr"):
        raise ValueError(f"out must be 'dense' or 'csr', got {out!r}.")
    dtype = autocast(a.values).dtype
    rowptr, ids, values, columns = _right(b, transpose_b, dtype)
    inner = ids.shape[0] if rowptr is None else rowptr.shape[0] - 1
    if a.shape[1] != inner:
        raise ValueError(f"b must have {a.shape[1]} rows, the columns of a, got {inner}.")
    if values.device != a.values.device:
        raise ValueError(f"b must be on the device of a, {a.values.device}, got {values.device}.")
    if out == "csr":
        left = _stored(*_right(a, False, dtype))
        return product(left, _stored(rowptr, ids, values, columns))
    csr, weight = _left(a)
    weight = autocast(weight)
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
    from sparsegnn.graph import CsrTensors
    from sparsegnn.sparse_matrix import SparseMatrix
    from sparsegnn.sparse_rows import SparseRows

    if isinstance(a, SparseMatrix):
        return a.pattern.csr, a.values
    if not isinstance(a, SparseRows):
        return a.csr, a.values
    rowptr, col, values, _ = _stored(None, a.ids, a.values, a.num_cols)
    return CsrTensors(rowptr, col, None, None, None, None), values  # type: ignore[arg-type]


def _stored(rowptr: Tensor | None, ids: Tensor, values: Tensor, num_cols: int) -> Stored:
    """An operand in CSR form; fixed rows get a row pointer."""
    from sparsegnn.graph import _INT32_LIMIT

    if rowptr is not None:
        return Stored(rowptr, ids, values, num_cols)
    rows, k = values.shape
    dtype = torch.int32 if max(rows * k, num_cols) <= _INT32_LIMIT else torch.int64
    rowptr = torch.arange(rows + 1, dtype=dtype, device=values.device) * k
    return Stored(rowptr, ids.reshape(-1).to(dtype), values.reshape(-1), num_cols)


def _right(b: Sparse, transpose: bool, dtype: torch.dtype) -> _Operand:
    from sparsegnn.sparse_matrix import SparseMatrix
    from sparsegnn.sparse_rows import SparseRows

    if isinstance(b, SparseRows):
        if not transpose:
            return None, b.ids.contiguous(), b.values.to(dtype).contiguous(), b.num_cols
        b = b.to_sparse_matrix()
    if isinstance(b, SparseMatrix) and b._pattern is None and not transpose:
        rowptr, col, columns = b._stored
        return rowptr, col, b.values.to(dtype).contiguous(), columns
    csr = b.pattern.csr if isinstance(b, SparseMatrix) else b.csr
    rowptr, col, edge = csr[3:] if transpose else csr[:3]
    values = b.values if edge is None else b.values[edge.long()]
    return rowptr, col, values.to(dtype).contiguous(), b.shape[0] if transpose else b.shape[1]
