"""Input features of a compiled program: checked, restricted to live columns, in the plan's form."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sparsegnn.compiler.csr_matrix import CsrMatrix, rows_of_csr
from sparsegnn.sparse_matrix import SparseMatrix

Features = Tensor | SparseMatrix

FIXED = (
    "x must be left out, got other features than those of compile time: the model was compiled "
    "with fixed_features=True"
)


def check_features(x: Features, shape: tuple[int, int], dtype: torch.dtype) -> None:
    """Checks features before any work is done with them.

    Raises:
        TypeError: x is neither a tensor nor a `SparseMatrix`, or has another dtype than the model.
        ValueError: x has another shape, or is not finite.
    """
    _check_form(x, shape, dtype)
    _check_finite(x)


def _check_form(x: Features, shape: tuple[int, int], dtype: torch.dtype) -> None:
    if not isinstance(x, Tensor | SparseMatrix):
        raise TypeError(f"x must be a tensor or a SparseMatrix, got {type(x).__name__}")
    if tuple(x.shape) != shape:
        raise ValueError(f"x must have shape {shape}, got {tuple(x.shape)}")
    if x.dtype != dtype:
        raise TypeError(f"x must be {dtype} like the model, got {x.dtype}")


def _check_finite(x: Features) -> None:
    values = x.values if isinstance(x, SparseMatrix) else x
    if not bool(torch.isfinite(values).all()):
        raise ValueError("x must be finite, got NaN or infinity")


def used_columns(x: Features) -> Tensor:
    """Bool [F]: the columns with a non-zero entry."""
    if isinstance(x, Tensor):
        return (x != 0).any(dim=0)
    _, column, values = x.csr_arrays()
    used = torch.zeros(x.shape[1], dtype=torch.bool, device=x.device)
    used[column[values != 0].long()] = True
    return used


def count_used(x: Features) -> int:
    """Entries that are not zero; every stored one of a `SparseMatrix`."""
    return int(x.count_nonzero()) if isinstance(x, Tensor) else x.nnz


def rows_of(x: Features, nodes: Tensor | None) -> Features:
    """The rows of these nodes, int64; None for all."""
    if nodes is None:
        return x
    if isinstance(x, Tensor):
        return x.index_select(0, nodes)
    rowptr, col, values = x.csr_arrays()
    taken, entry = rows_of_csr(rowptr, nodes)
    return SparseMatrix._from_stored(taken, col[entry], values[entry], x.shape[1])


class FeatureInput(nn.Module):
    """Turns features [N, F] into what the first step of a program takes.

    Args:
        kept: Live columns, int64, ascending.
        readable: int64, columns that can influence the model's output. One that is readable but
            not kept was zero in the features that the program was compiled for.
        shape: (N, F).
        sparse: Whether the program takes a `CsrMatrix` instead of a dense tensor.
        dtype: Dtype of the model.
        nodes: int64, the nodes whose features the program reads, in its order; None for all.
        fixed: Whether the program takes no features but those that it was compiled for.
        storage: Dtype that dense features are stored in; by default that of the model.
    """

    kept: Tensor
    refused: Tensor
    nodes: Tensor | None

    def __init__(
        self,
        kept: Tensor,
        readable: Tensor,
        shape: tuple[int, int],
        sparse: bool,
        dtype: torch.dtype,
        nodes: Tensor | None = None,
        fixed: bool = False,
        storage: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.shape = (int(shape[0]), int(shape[1]))
        refused = torch.zeros(self.shape[1], dtype=torch.bool, device=kept.device)
        refused[readable] = True
        refused[kept] = False
        self.register_buffer("kept", kept)
        self.register_buffer("refused", refused)
        self.register_buffer("nodes", nodes)
        self.sparse = sparse
        self.dtype = dtype
        self.fixed = fixed
        self.storage = storage

    def forward(self, x: Features) -> CsrMatrix | Tensor:
        """Checks x and restricts it to the nodes that are read and to the live columns.

        Raises:
            TypeError: x has a wrong type or dtype.
            ValueError: The features are fixed, or x has a wrong shape, is not finite, or uses a
                column that was removed for being zero everywhere. Rows that are not read are not
                looked at.
        """
        if self.fixed:
            raise ValueError(FIXED)
        return self.read(x)

    def read(self, x: Features) -> CsrMatrix | Tensor:
        """The same for fixed features too: at compile time."""
        if torch.compiler.is_compiling():
            return self._traced(x)
        _check_form(x, self.shape, self.dtype)
        x = rows_of(x, self.nodes)
        _check_finite(x)
        wrong = used_columns(x) & self.refused
        if bool(wrong.any()):
            raise ValueError(
                f"x uses feature {int(wrong.nonzero()[0])}, which was zero for every node when the "
                "model was compiled: compile it again with these features"
            )
        if self.sparse:
            matrix = x if isinstance(x, SparseMatrix) else SparseMatrix.from_dense(x)
            return self._compact(matrix)
        dense = x.to_dense() if isinstance(x, SparseMatrix) else x
        return self._stored(dense[:, self.kept].contiguous())

    def _traced(self, x: Features) -> Tensor:
        """The live columns, without checks that depend on values."""
        if self.sparse or not isinstance(x, Tensor):
            raise ValueError(
                "x must be left out when the plan reads sparse features and is traced: call f(), "
                "or compile with dense features"
            )
        rows = x if self.nodes is None else x.index_select(0, self.nodes)
        return self._stored(rows[:, self.kept])

    def _stored(self, x: Tensor) -> Tensor:
        return x if self.storage is None else x.to(self.storage)

    def _compact(self, x: SparseMatrix) -> CsrMatrix:
        rowptr, col, values = x.csr_arrays()
        position = torch.full((x.shape[1],), -1, device=x.device)
        position[self.kept] = torch.arange(len(self.kept), device=x.device)
        column = position[col.long()]
        keep = (column >= 0) & (values != 0)
        degree = rowptr.diff().long()
        row = torch.repeat_interleave(torch.arange(len(degree), device=x.device), degree)
        counts = torch.bincount(row[keep], minlength=len(degree))
        ends = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        kept_values, row = values[keep], row[keep]
        scale = _common_value(row, kept_values, len(degree))
        index = rowptr.dtype
        return CsrMatrix(ends.to(index), column[keep].to(index), kept_values, len(self.kept), scale)


def _common_value(row: Tensor, values: Tensor, num_rows: int) -> Tensor | None:
    """[num_rows] value of every row when its entries are all equal, as normalised counts are."""
    common = values.new_zeros(num_rows)
    common[row] = values
    return common if torch.equal(common[row], values) else None
