"""Steps around a top-k activation: kept entries as sparse rows, and what reads them so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.epilogue import Epilogue, Fused
from sparsegnn.compiler.linear_steps import DenseLinear
from sparsegnn.compiler.row_ops import TopK
from sparsegnn.compiler.sizes import Sizes
from sparsegnn.compiler.steps import Run, Spmm, Step
from sparsegnn.ops.spmm_rows import rows_to_dense

# Kept entries of every row and their channels, [N, k] each.
Rows = tuple[Tensor, Tensor]


class Largest(Step):
    """The k largest entries of every row as sparse rows."""

    def __init__(self, k: int, magnitude: bool, epilogue: Epilogue | None = None) -> None:
        super().__init__(epilogue)
        self.k, self.magnitude = k, magnitude
        self.label = f"{k} largest of every row"
        self._count(0)

    def kernel(self) -> Run:
        """Binds the options."""
        largest: Any = torch.ops.sparsegnn.topk_rows.default
        k, magnitude = self.k, self.magnitude
        return lambda h: largest(h, k, magnitude)


class LargestAlone(Largest):
    """The same among zeros, and an epilogue."""

    @classmethod
    def of(cls, operation: Any, width: int, sizes: Sizes, epilogue: Epilogue) -> Step:
        """That of a `TopK`."""
        return cls(operation.k, operation.magnitude, epilogue)

    def kernel(self) -> Run:
        """Binds the options."""
        largest = super().kernel()

        def run(h: Tensor) -> Tensor:
            values, ids = largest(h)
            return rows_to_dense(values, ids, h.shape[1])

        return run


class SpmmOfRows(Step):
    """`A h` and an epilogue for sparse rows h of k entries in `width` channels."""

    kind = "aggregation of sparse rows"

    def __init__(
        self, matrix: CsrMatrix, width: int, k: int, epilogue: Epilogue | None = None
    ) -> None:
        super().__init__(epilogue)
        self.matrix = matrix
        self.width = width
        self.label = f"aggregate {k} of {width}{self.epilogue}"
        self._count(matrix.nnz * k, matrix.nnz * width)

    def kernel(self) -> Run:
        """Binds the matrix."""
        product: Any = torch.ops.sparsegnn.spmm_rows.default
        structure, (value, scale) = self.matrix.structure(), self.matrix.values()
        width = self.width

        def run(h: Rows) -> Tensor:
            values, ids = h
            out: Tensor = product(*structure, None, ids, values, width, value, None, scale, None)
            return out

        return run


class RowsLinear(Step):
    """`h W^T` and an epilogue for sparse rows h of k entries and a dense W [out, in]."""

    kind = "product of sparse rows"
    weight: Tensor
    rowptr: Tensor
    column_shape: Tensor

    def __init__(
        self, weight: Tensor, num_nodes: int, k: int, epilogue: Epilogue | None = None
    ) -> None:
        super().__init__(epilogue)
        self.register_buffer("weight", weight.t().contiguous())
        index = torch.int32 if num_nodes * k < 2**31 else torch.int64
        ids = torch.arange(num_nodes + 1, dtype=index, device=weight.device)
        self.register_buffer("rowptr", ids * k, persistent=False)
        shape = torch.zeros(weight.shape[1] + 1, dtype=index, device=weight.device)
        self.register_buffer("column_shape", shape, persistent=False)
        self.label = f"{k} of {weight.shape[1]} -> {weight.shape[0]}{self.epilogue}"
        self._count(num_nodes * k * weight.shape[0], num_nodes * weight.numel())

    @property
    def fused(self) -> Fused:
        """Bias and ReLU."""
        return Fused(bias=True, before=self.epilogue.relu_first)

    def kernel(self) -> Run:
        """Binds the weight and what the kernel fuses of the epilogue."""
        spmm: Any = torch.ops.sparsegnn.spmm.default
        weight, rowptr, shape = self.weight, self.rowptr, self.column_shape
        bias, relu = self.epilogue.bias, self.epilogue.relu_first
        options = None, None, None, None, bias, False, relu

        def run(h: Rows) -> Tensor:
            value, col = h[0].reshape(-1), h[1].reshape(-1).to(rowptr.dtype)
            structure = rowptr, col, None, shape, col, None
            out: Tensor = spmm(*structure, weight, value, *options)
            return out

        return run


def plans_of_rows(
    topk: TopK,
    weight: Tensor | None,
    matrix: CsrMatrix | None,
    rows: int,
    width: int,
    last: Epilogue,
) -> Iterator[tuple[str, tuple[Step, ...]]]:
    """The ways to execute a product, an aggregation or both on the sparse rows of an activation.

    Args:
        topk: The activation.
        weight: `[out, in]` of the product.
        matrix: That of the aggregation.
        rows: Nodes that the activation is computed for.
        width: Channels of the activation.
        last: What follows.
    """
    first, k = Largest(topk.k, topk.magnitude), topk.k
    if weight is None:
        assert matrix is not None
        yield "sparse rows", (first, SpmmOfRows(matrix, width, k, last))
    elif matrix is None:
        yield "sparse rows, dense weight", (first, RowsLinear(weight, rows, k, last))
    else:
        product = RowsLinear(weight, rows, k), Spmm(matrix, weight.shape[0], last)
        yield "sparse rows, transform first, dense weight", (first, *product)
        product_last = SpmmOfRows(matrix, width, k), DenseLinear(weight, matrix.shape[0], last)
        yield "sparse rows, aggregate first, dense weight", (first, *product_last)
