"""Checks of raw CSR tensors: what passes cannot make a kernel read out of bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from sparsegnn._csr import CsrTensors


def check_csr_tensors(csr: CsrTensors) -> None:
    """Raises unless the six tensors are one graph and its transpose.

    Raises:
        TypeError: Something is no tensor.
        ValueError: A dtype, shape or device differs, an index is out of range (its position is
            named), or the second half is not the transpose of the first.
    """
    check_pattern(csr.rowptr, csr.col, csr.t_rowptr, "rowptr", "col", "t_rowptr")
    check_pattern(csr.t_rowptr, csr.t_col, csr.rowptr, "t_rowptr", "t_col", "rowptr")
    _check_alike(csr.rowptr, csr.t_rowptr, "t_rowptr")
    if csr.t_col.numel() != csr.col.numel():
        raise ValueError(
            f"t_col must have as many entries as col, {csr.col.numel()}, got {csr.t_col.numel()}."
        )
    for name, edge_id in (("edge_id", csr.edge_id), ("t_edge_id", csr.t_edge_id)):
        if edge_id is not None:
            _check_edge_id(edge_id, csr.col, name)
    rows, columns = _ends(csr.rowptr, csr.col, csr.edge_id)
    t_rows, t_columns = _ends(csr.t_rowptr, csr.t_col, csr.t_edge_id)
    if not (torch.equal(rows, t_columns) and torch.equal(columns, t_rows)):
        raise ValueError("t_col must hold the same edges as col, reversed, got others.")


def check_pattern(
    rowptr: Any, col: Any, columns: Any, row_name: str, col_name: str, columns_name: str
) -> None:
    """Raises unless (rowptr, col) is a CSR pattern over the rows of the pointer `columns`."""
    _check_vector(rowptr, row_name)
    _check_vector(columns, columns_name)
    check_rows(rowptr, row_name)
    check_rows(columns, columns_name)
    check_columns(rowptr, col, columns.numel() - 1, row_name, col_name)


def check_rows(rowptr: Tensor, name: str) -> None:
    """Raises unless `rowptr` is a non-empty index vector that starts with 0 and never decreases."""
    _check_vector(rowptr, name)
    if rowptr.dtype not in (torch.int32, torch.int64):
        raise ValueError(f"{name} must have dtype int32 or int64, got {rowptr.dtype}.")
    if rowptr.numel() < 1:
        raise ValueError(f"{name} must have shape [rows + 1], got {list(rowptr.shape)}.")
    if int(rowptr[0]) != 0:
        raise ValueError(f"{name} must start with 0, got {int(rowptr[0])}.")
    falls = (rowptr[1:] < rowptr[:-1]).nonzero()
    if falls.numel():
        place = int(falls[0]) + 1
        raise ValueError(
            f"{name} must not decrease, got {int(rowptr[place])} after {int(rowptr[place - 1])} "
            f"at position {place}."
        )


def check_columns(
    rowptr: Tensor, col: Any, num_cols: int, row_name: str = "rowptr", col_name: str = "col"
) -> None:
    """Raises unless `col` holds the entries of checked rows, each in [0, num_cols)."""
    _check_vector(col, col_name)
    _check_alike(rowptr, col, col_name)
    if int(rowptr[-1]) != col.numel():
        raise ValueError(
            f"{row_name} must end with the number of edges {col.numel()}, got {int(rowptr[-1])}."
        )
    _check_range(col, num_cols, col_name)


def _check_vector(tensor: Any, name: str) -> None:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(tensor).__name__}.")
    if tensor.dim() != 1:
        raise ValueError(f"{name} must be a vector, got shape {list(tensor.shape)}.")
    if not tensor.is_contiguous():
        raise ValueError(f"{name} must be contiguous, got a strided view.")


def _check_alike(reference: Tensor, tensor: Tensor, name: str) -> None:
    if tensor.dtype != reference.dtype:
        raise ValueError(f"{name} must have dtype {reference.dtype}, got {tensor.dtype}.")
    if tensor.device != reference.device:
        raise ValueError(f"{name} must be on {reference.device}, got {tensor.device}.")


def _check_range(index: Tensor, bound: int, name: str) -> None:
    wrong = ((index < 0) | (index >= bound)).nonzero()
    if wrong.numel():
        place = int(wrong[0])
        raise ValueError(
            f"{name} must lie in [0, {bound}), got {int(index[place])} at position {place}."
        )


def _check_edge_id(edge_id: Any, col: Tensor, name: str) -> None:
    _check_vector(edge_id, name)
    _check_alike(col, edge_id, name)
    if edge_id.numel() != col.numel():
        raise ValueError(f"{name} must have shape [{col.numel()}], got {list(edge_id.shape)}.")
    _check_range(edge_id, col.numel(), name)
    if torch.unique(edge_id).numel() != edge_id.numel():
        raise ValueError(f"{name} must hold every edge once, got an edge twice.")


def _ends(rowptr: Tensor, col: Tensor, edge_id: Tensor | None) -> tuple[Tensor, Tensor]:
    """Row and column of every edge, in the edges' own order."""
    row = torch.repeat_interleave(rowptr.diff().long())
    if edge_id is None:
        return row, col.long()
    order = torch.argsort(edge_id)
    return row[order], col.long()[order]
