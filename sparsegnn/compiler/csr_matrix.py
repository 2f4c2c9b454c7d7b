"""A CSR matrix with static values."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sparsegnn.block_weight import in_blocks
from sparsegnn.graph import Graph


class CsrMatrix(nn.Module):
    """A CSR matrix [M, K] with static values in stored order.

    Buffers: `rowptr` [M + 1], `col` and `value` [nnz], and `column_shape` [K + 1], from which the
    kernels read K: the transpose that they also accept serves only derivatives, and a program has
    none. `row_scale` [M] is there when all values of a row are equal to it: kernels then read it
    in place of the values.
    """

    rowptr: Tensor
    col: Tensor
    value: Tensor
    column_shape: Tensor
    row_scale: Tensor | None

    def __init__(
        self,
        rowptr: Tensor,
        col: Tensor,
        value: Tensor,
        num_cols: int,
        row_scale: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.register_buffer("rowptr", rowptr)
        self.register_buffer("col", col)
        self.register_buffer("value", value)
        self.register_buffer("column_shape", rowptr.new_zeros(num_cols + 1), persistent=False)
        self.register_buffer("row_scale", row_scale)

    @classmethod
    def from_graph(cls, graph: Graph, weight: Tensor) -> CsrMatrix:
        """Takes the edges of `graph`; `weight` [E] is in its edge order."""
        value = weight if graph.edge_id is None else weight[graph.canonical_order()]
        return cls(graph.rowptr, graph.col, value.detach().contiguous(), graph.num_src)

    @classmethod
    def from_dense(cls, matrix: Tensor) -> CsrMatrix:
        """Stores the non-zeros of `matrix` [M, K]."""
        rows, cols = matrix.nonzero(as_tuple=True)
        rowptr = _rowptr(rows, matrix.shape[0])
        return cls(rowptr, cols.to(torch.int32), matrix[rows, cols], matrix.shape[1])

    def columns_of(self, rows: Tensor) -> Tensor:
        """Bool [K]: the columns with an entry in one of the rows, bool [M]."""
        entries = torch.repeat_interleave(rows, self.rowptr.diff().long())
        used = rows.new_zeros(self.shape[1])
        used[self.col[entries].long()] = True
        return used

    def select(self, rows: Tensor | None, columns: Tensor | None) -> CsrMatrix:
        """The matrix of some rows and columns, each once, in these orders.

        Args:
            rows: int64; None for all.
            columns: int64, with every column that these rows have an entry in; None for all.
        """
        rowptr, entry = rows_of_csr(self.rowptr, rows)
        col, value, num_cols = self.col[entry], self.value[entry], self.shape[1]
        if columns is not None:
            place = torch.empty(num_cols, dtype=col.dtype, device=col.device)
            num_cols = len(columns)
            place[columns] = torch.arange(num_cols, dtype=col.dtype, device=col.device)
            col = place[col.long()]
            if not bool((columns.diff() > 0).all()):
                order = _storage_order(rowptr, col, num_cols)
                col, value = col[order], value[order]
        scale = self.row_scale if rows is None or self.row_scale is None else self.row_scale[rows]
        return CsrMatrix(rowptr, col, value, num_cols, scale)

    @classmethod
    def from_blocks(cls, matrix: Tensor, block: int) -> CsrMatrix:
        """Stores the non-empty blocks of `matrix`, whose sizes are multiples of `block`.

        Rows, columns and entries are those of the matrix of blocks; `value` is [nnz, b, b].
        """
        blocks = in_blocks(matrix, block)
        rows, cols = blocks.ne(0).flatten(2).any(dim=2).nonzero(as_tuple=True)
        rowptr = _rowptr(rows, blocks.shape[0])
        return cls(rowptr, cols.to(torch.int32), blocks[rows, cols], blocks.shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        """(M, K)."""
        return self.rowptr.numel() - 1, self.column_shape.numel() - 1

    @property
    def nnz(self) -> int:
        """Stored entries."""
        return self.col.numel()

    def values(self) -> tuple[Tensor | None, Tensor | None]:
        """Edge values and row scales for a kernel: one of them is None."""
        return (None, self.row_scale) if self.row_scale is not None else (self.value, None)

    def structure(self) -> tuple[Tensor | None, ...]:
        """The six tensors by which an operator takes a CSR graph."""
        return (self.rowptr, self.col, None, self.column_shape, self.col, None)


def rows_of_csr(rowptr: Tensor, rows: Tensor | None) -> tuple[Tensor, Tensor]:
    """Row pointer of some rows of a CSR matrix, and the positions of their entries, int64.

    Args:
        rowptr: `[M + 1]`.
        rows: int64, in any order; None for all.
    """
    if rows is None:
        return rowptr, torch.arange(int(rowptr[-1]), device=rowptr.device)
    starts, counts = rowptr[:-1].long()[rows], rowptr.diff().long()[rows]
    ends = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    shift = torch.repeat_interleave(starts - ends[:-1], counts)
    return ends.to(rowptr.dtype), torch.arange(len(shift), device=rowptr.device) + shift


def _storage_order(rowptr: Tensor, col: Tensor, num_cols: int) -> Tensor:
    """The order of entries by (row, column); parallel entries stay in theirs."""
    rows = torch.arange(rowptr.numel() - 1, device=col.device)
    row = torch.repeat_interleave(rows, rowptr.diff().long())
    return torch.argsort(row * num_cols + col, stable=True)


def _rowptr(rows: Tensor, num_rows: int) -> Tensor:
    """The row pointer of entries with these rows."""
    counts = torch.bincount(rows, minlength=num_rows)
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)]).to(torch.int32)
