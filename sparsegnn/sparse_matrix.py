"""Sparse matrices of values, such as bag-of-words features."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sparsegnn.graph import Graph


def check_entries(pattern: Any, values: Any) -> None:
    """Raises unless `values` holds one floating number per edge of the graph `pattern`."""
    if not isinstance(pattern, Graph):
        raise TypeError(f"pattern must be a Graph, got {type(pattern).__name__}.")
    if not isinstance(values, Tensor):
        raise TypeError(f"values must be a tensor, got {type(values).__name__}.")
    if values.shape != (pattern.num_edges,):
        raise ValueError(f"values must have shape [{pattern.num_edges}], got {list(values.shape)}.")
    if not values.is_floating_point():
        raise TypeError(f"values must be floating point, got {values.dtype}.")
    if values.device != pattern.device:
        raise ValueError(
            f"values must be on the device of the pattern, {pattern.device}, got {values.device}."
        )


class SparseMatrix:
    """A CSR matrix `[N, K]`: a pattern and one value per stored entry, in the pattern's edge order.

    Attributes:
        values: Floating `[nnz]`.
    """

    _stored: tuple[Tensor, Tensor, int]  # row pointer, columns, K: what stands for the pattern

    def __init__(self, pattern: Graph, values: Tensor) -> None:
        check_entries(pattern, values)
        self._pattern: Graph | None = pattern
        self.values = values

    @classmethod
    def _from_stored(
        cls, rowptr: Tensor, col: Tensor, values: Tensor, num_cols: int
    ) -> SparseMatrix:
        """A matrix of valid CSR arrays; its pattern, with a transpose, is made when asked for."""
        matrix = cls.__new__(cls)
        matrix._pattern = None
        matrix._stored = (rowptr, col, num_cols)
        matrix.values = values
        return matrix

    @property
    def pattern(self) -> Graph:
        """Graph with N targets and K sources; entry (i, k) is the edge k -> i."""
        if self._pattern is None:
            self._pattern = Graph.from_csr(*self._stored)
        return self._pattern

    @staticmethod
    def from_dense(matrix: Tensor) -> SparseMatrix:
        """Keeps the non-zero entries of a dense `[N, K]` matrix (NaN counts as non-zero)."""
        if not isinstance(matrix, Tensor):
            raise TypeError(f"matrix must be a tensor, got {type(matrix).__name__}.")
        if matrix.dim() != 2:
            raise ValueError(f"matrix must have 2 dimensions, got shape {list(matrix.shape)}.")
        row, col = matrix.detach().ne(0).nonzero(as_tuple=True)
        rows, cols = matrix.shape
        pattern = Graph.from_edge_index(torch.stack([col, row]), num_src=cols, num_dst=rows)
        return SparseMatrix(pattern, matrix[row, col])

    @staticmethod
    def from_torch(matrix: Tensor) -> SparseMatrix:
        """Takes a `torch.sparse_csr` or coalesced `torch.sparse_coo` matrix."""
        if not isinstance(matrix, Tensor) or matrix.layout == torch.strided:
            return SparseMatrix.from_dense(matrix)
        if matrix.dim() != 2:
            raise ValueError(f"matrix must have 2 dimensions, got shape {list(matrix.shape)}.")
        csr = matrix.to_sparse_csr()
        return SparseMatrix(Graph.from_torch_csr(csr), csr.values())

    @staticmethod
    def from_scipy(matrix: Any, dtype: torch.dtype = torch.float32) -> SparseMatrix:
        """Takes a SciPy sparse matrix; duplicates are summed."""
        if not hasattr(matrix, "tocsr"):
            raise TypeError(f"matrix must be a SciPy sparse matrix, got {type(matrix).__name__}.")
        csr = matrix.tocsr().copy()
        csr.sum_duplicates()
        values = torch.from_numpy(np.asarray(csr.data)).to(dtype)
        return SparseMatrix(Graph.from_scipy(csr), values)

    @property
    def shape(self) -> tuple[int, int]:
        """(N, K)."""
        if self._pattern is None:
            return self._stored[0].shape[0] - 1, self._stored[2]
        return self._pattern.num_dst, self._pattern.num_src

    @property
    def nnz(self) -> int:
        """Number of stored entries."""
        return self.values.shape[0]

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the values."""
        return self.values.dtype

    @property
    def device(self) -> torch.device:
        """Device of pattern and values."""
        return self.values.device

    @property
    def density(self) -> float:
        """Stored entries over all entries; 0 for an empty matrix."""
        size = self.shape[0] * self.shape[1]
        return self.nnz / size if size else 0.0

    def to(self, target: torch.device | str | torch.dtype) -> SparseMatrix:
        """The matrix with another dtype or on another device."""
        if isinstance(target, torch.dtype):
            return SparseMatrix(self.pattern, self.values.to(target))
        return SparseMatrix(self.pattern.to(target), self.values.to(target))

    def in_storage_order(self) -> SparseMatrix:
        """The same matrix with its values sorted by (row, column)."""
        if self.pattern.edge_id is None:
            return self
        order = self.pattern.canonical_order()
        return SparseMatrix(self.pattern.in_storage_order(), self.values[order])

    def to_dense(self) -> Tensor:
        """Dense `[N, K]`; parallel entries add up."""
        col, row = self.pattern.edge_index
        dense = torch.zeros(self.shape, dtype=self.dtype, device=self.device)
        return dense.index_put((row, col), self.values, accumulate=True)

    def csr_arrays(self) -> tuple[Tensor, Tensor, Tensor]:
        """Row pointer `[N + 1]`, columns and values `[nnz]`, sorted by (row, column)."""
        if self._pattern is None:
            return *self._stored[:2], self.values
        stored = self.in_storage_order()
        return stored.pattern.rowptr, stored.pattern.col, stored.values

    def to_torch(self) -> Tensor:
        """`torch.sparse_csr` `[N, K]` with int64 indices."""
        rowptr, col, values = self.csr_arrays()
        return torch.sparse_csr_tensor(
            rowptr.long(),
            col.long(),
            values,
            self.shape,
            check_invariants=False,
        )

    def __matmul__(self, dense: Tensor) -> Tensor:
        """`[N, K] @ [K, F]`, differentiable in the dense operand and in the values."""
        from sparsegnn.ops import spmm

        return spmm(self.pattern, dense, edge_weight=self.values)

    def __repr__(self) -> str:
        return f"SparseMatrix(shape={list(self.shape)}, nnz={self.nnz}, dtype={self.dtype})"
