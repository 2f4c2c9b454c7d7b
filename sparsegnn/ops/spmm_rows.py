"""Message passing on sparse rows: aggregation that gathers k entries of a source, not all F."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sparsegnn.ops import spmm_rows_derivative as spmm_rows_derivative  # registers it
from sparsegnn.ops._autocast import autocast
from sparsegnn.ops._edge_values import EdgeMask, split_mask
from sparsegnn.ops._library import acc_dtype, as_acc, call
from sparsegnn.ops._vmap import needs_grad

if TYPE_CHECKING:
    from sparsegnn.graph import CsrTensors, Graph
    from sparsegnn.sparse_rows import SparseRows


def spmm_rows(
    g: Graph,
    x: SparseRows,
    edge_weight: Tensor | None = None,
    edge_mask: EdgeMask = None,
    *,
    mean: bool = False,
    row_scale: Tensor | None = None,
    col_scale: Tensor | None = None,
    transpose: bool = False,
) -> Tensor:
    """`sparsegnn.ops.spmm` of sparse rows without its epilogue, dense `[M, F]`.

    Source: the SSpMM of MaxK-GNN (Peng et al., ASPLOS 2024), exact and without atomics.
    """
    values = autocast(x.values)
    csr = g.csr.transposed() if transpose else g.csr
    soft, bits = split_mask(edge_mask, g.num_edges)
    weight = _product(as_acc(edge_weight, values.dtype), as_acc(soft, values.dtype))
    rows, cols = as_acc(row_scale, values.dtype), as_acc(col_scale, values.dtype)
    weight, rows, cols = _fold_scales(csr, weight, rows, cols)
    if mean:
        rows = _product(rows, _inverse_degree(csr, bits, values.dtype))
    return call(  # type: ignore[no-any-return]
        torch.ops.sparsegnn.spmm_rows.default,
        *csr,
        None,
        x.ids.contiguous(),
        values.contiguous(),
        x.num_cols,
        weight,
        bits,
        rows,
        cols,
    )


def rows_to_dense(values: Tensor, ids: Tensor, num_cols: int) -> Tensor:
    """Sparse rows `[N, k]` as a dense `[N, F]`, differentiable: the product with an identity."""
    from sparsegnn.graph import CsrTensors

    rowptr = torch.arange(values.shape[0] + 1, dtype=torch.int32, device=values.device)
    identity = CsrTensors(rowptr, rowptr[:-1], None, rowptr, rowptr[:-1], None)
    return torch.ops.sparsegnn.spmm_rows.default(  # type: ignore[no-any-return]
        *identity, None, ids, values.contiguous(), num_cols, None, None, None, None
    )


def _product(left: Tensor | None, right: Tensor | None) -> Tensor | None:
    if left is None or right is None:
        return right if left is None else left
    if left.shape != right.shape:
        raise ValueError(f"edge_mask must have shape {list(left.shape)}, got {list(right.shape)}.")
    return left * right


def _fold_scales(
    csr: CsrTensors, weight: Tensor | None, rows: Tensor | None, cols: Tensor | None
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Moves scales that need a gradient into the edge weights, where they get one."""
    from sparsegnn.ops.spmm import _fold_scales

    return _fold_scales(csr, weight, rows, cols) if needs_grad(rows, cols) else (weight, rows, cols)


def _inverse_degree(csr: CsrTensors, bits: Tensor | None, dtype: torch.dtype) -> Tensor:
    from sparsegnn.ops.spmm_derivative import _kept_in_degree

    return _kept_in_degree(csr, bits, acc_dtype(dtype)).clamp(min=1).reciprocal()
