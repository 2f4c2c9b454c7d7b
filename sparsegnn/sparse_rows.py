"""Matrices with the same few entries in every row, such as top-k embeddings."""

from __future__ import annotations

import torch
from torch import Tensor

from sparsegnn.graph import Graph
from sparsegnn.ops.spmm_rows import rows_to_dense
from sparsegnn.sparse_matrix import SparseMatrix

_FLOATING = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def id_dtype(num_cols: int) -> torch.dtype:
    """Dtype of the ids of rows with `num_cols` columns: the narrowest that torch computes with."""
    if num_cols <= 256:
        return torch.uint8
    return torch.int16 if num_cols <= 32768 else torch.int32


class SparseRows:
    """A matrix `[N, F]` that stores exactly k entries of every row: one byte more than its values.

    Whether `spmm` gains from it depends on k: adding k scattered entries costs more than k entries
    of a dense row, added in whole vectors. On a CPU with AVX-512 (2 threads, float32; 170,000 nodes
    with 2.3 M random edges, then a web graph of 100,000 nodes whose neighbours lie near each other)
    the forward product was faster than `spmm` of `to_dense()`, made beforehand, up to

    - k = F / 16 on the random graph: 1.3x at F / 32, 1.06x at F / 16 (F = 256; 2.4x and 1.3x at
      F = 128), but 0.7x at F / 8 and 0.5x at F / 4;
    - k = F / 8 on the web graph: 1.5x at F / 32 and F / 16, 1.03x at F / 8, 0.65x at F / 4;

    and a training step, gradients included, up to k = F / 32 and k = F / 8: 1.3x, then 0.84x at
    F / 16 on the random graph, and 1.6x, 1.2x and 1.04x on the web graph, but 0.6x at F / 4. Beyond
    that, pass `rows.to_dense()`. Nothing is converted behind your back: an absent entry takes no
    part in a sum, while the zero that stands for it in a dense row turns into NaN beside an
    infinite edge weight.

    Attributes:
        values: Floating `[N, k]`; may require a gradient.
        ids: Columns of the values, `[N, k]`, strictly ascending within a row: uint8 for up to 256
            columns, int16 for up to 32768, int32 beyond.
        num_cols: Number of columns, F.
    """

    def __init__(self, values: Tensor, ids: Tensor, num_cols: int) -> None:
        """Checks the arguments, the ids' contents included (one synchronisation on a GPU).

        Args:
            values: float32, float64, float16 or bfloat16 `[N, k]`.
            ids: Integer `[N, k]` of any dtype, strictly ascending within a row.
            num_cols: Number of columns, more than every id.

        Raises:
            ValueError: Shapes or devices differ, or ids are out of range or not ascending.
            TypeError: A dtype does not fit.
        """
        _check_layout(values, ids, num_cols)
        _check_ids(ids, num_cols)
        self.values = values
        self.ids = ids.to(id_dtype(num_cols))
        self.num_cols = num_cols

    @classmethod
    def _wrap(cls, values: Tensor, ids: Tensor, num_cols: int) -> SparseRows:
        """Rows whose ids are known to be valid and of the right dtype."""
        rows = cls.__new__(cls)
        rows.values = values
        rows.ids = ids
        rows.num_cols = num_cols
        return rows

    @property
    def shape(self) -> tuple[int, int]:
        """(N, F)."""
        return self.values.shape[0], self.num_cols

    @property
    def k(self) -> int:
        """Stored entries of every row."""
        return self.values.shape[1]

    @property
    def nnz(self) -> int:
        """Number of stored entries."""
        return self.values.numel()

    @property
    def density(self) -> float:
        """Stored entries over all entries; 0 for an empty matrix."""
        return self.k / self.num_cols if self.num_cols and self.shape[0] else 0.0

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the values."""
        return self.values.dtype

    @property
    def device(self) -> torch.device:
        """Device of values and ids."""
        return self.values.device

    def to(self, target: torch.device | str | torch.dtype) -> SparseRows:
        """The rows with values of another dtype or on another device; differentiable."""
        if isinstance(target, torch.dtype):
            return SparseRows._wrap(self.values.to(target), self.ids, self.num_cols)
        return SparseRows._wrap(self.values.to(target), self.ids.to(target), self.num_cols)

    def to_dense(self) -> Tensor:
        """Dense `[N, F]`, differentiable in the values."""
        return rows_to_dense(self.values, self.ids.contiguous(), self.num_cols)

    def to_sparse_matrix(self) -> SparseMatrix:
        """The same entries as a CSR matrix, differentiable in the values."""
        rows, k = self.values.shape
        rowptr = torch.arange(rows + 1, device=self.device) * k
        pattern = Graph.from_csr(rowptr, self.ids.reshape(-1), self.num_cols)
        return SparseMatrix(pattern, self.values.reshape(-1))

    def __repr__(self) -> str:
        return (
            f"SparseRows(shape={list(self.shape)}, k={self.k}, dtype={self.dtype}, "
            f"device='{self.device}')"
        )


def _check_layout(values: Tensor, ids: Tensor, num_cols: int) -> None:
    if values.dtype not in _FLOATING:
        raise TypeError(
            f"values must be float32, float64, float16 or bfloat16, got {values.dtype}."
        )
    if ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool:
        raise TypeError(f"ids must have an integer dtype, got {ids.dtype}.")
    if values.dim() != 2:
        raise ValueError(f"values must have shape [N, k], got {list(values.shape)}.")
    if ids.shape != values.shape:
        raise ValueError(f"ids must have shape {list(values.shape)}, got {list(ids.shape)}.")
    if ids.device != values.device:
        raise ValueError(f"ids must be on the device of values, {values.device}, got {ids.device}.")
    if isinstance(num_cols, bool) or not isinstance(num_cols, int):
        raise TypeError(f"num_cols must be an int, got {type(num_cols).__name__}.")
    if not values.shape[1] <= num_cols < 2**31:
        raise ValueError(f"num_cols must lie in [{values.shape[1]}, 2^31), got {num_cols}.")


def _check_ids(ids: Tensor, num_cols: int) -> None:
    if ids.numel() == 0:
        return
    wide = ids.detach().long()
    low, high = (int(bound) for bound in torch.aminmax(wide))
    if low < 0 or high >= num_cols:
        raise ValueError(f"ids must lie in [0, {num_cols}), got {low if low < 0 else high}.")
    descents = wide.diff(dim=1).le(0).any(dim=1)
    if bool(descents.any()):
        row = int(descents.nonzero()[0])
        raise ValueError(
            f"ids must ascend strictly within a row, got {wide[row].tolist()} in row {row}."
        )
