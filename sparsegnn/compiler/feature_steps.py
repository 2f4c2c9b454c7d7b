"""Steps whose input is sparse features, a `CsrMatrix`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.epilogue import Epilogue, Fused
from sparsegnn.compiler.sizes import Sizes
from sparsegnn.compiler.steps import Run, Step
from sparsegnn.ops import pack_panels

_CACHE_LINE = 64


class SparseFeatures(Step):
    """`X W` and an epilogue for sparse features X and a dense W [in, out]."""

    kind = "sparse features"
    weight: Tensor

    def __init__(self, weight: Tensor, sizes: Sizes, epilogue: Epilogue | None = None) -> None:
        super().__init__(epilogue)
        self.register_buffer("weight", _spread_rows(sizes.stored(weight).t()))
        self.store = sizes.store
        self.label = f"sparse features x dense weight {weight.shape[1]} -> {weight.shape[0]}"
        self._count(sizes.feature_nonzeros * weight.shape[0], sizes.feature_rows * weight.numel())

    @property
    def fused(self) -> Fused:
        """Bias and ReLU."""
        return Fused(bias=True, before=self.epilogue.relu_first)

    def kernel(self) -> Run:
        """Binds the weight and what the kernel fuses of the epilogue."""
        spmm: Any = torch.ops.sparsegnn.spmm.default
        weight, bias, relu = self.weight, self.epilogue.bias, self.epilogue.relu_first
        more = () if self.store is None else (None, 0.0, None, self.store)

        def run(x: Any) -> Tensor:
            value, scale = x.values()
            out: Tensor = spmm(
                *x.structure(), weight, value, None, None, scale, None, bias, False, relu, *more
            )
            return out

        return run


class SparseProduct(Step):
    """`X W` and an epilogue, X and W [in, out] both sparse: cost in proportion to what meets."""

    kind = "sparse product"

    def __init__(self, weight: Tensor, sizes: Sizes, epilogue: Epilogue | None = None) -> None:
        super().__init__(epilogue)
        self.weight = CsrMatrix.from_dense(sizes.stored(weight).t())
        per_column = sizes.entries_per_column()
        kept = self.weight.rowptr.diff().to(per_column)
        self.label = (
            f"sparse features x CSR weight {weight.shape[1]} -> {weight.shape[0]}, "
            f"{self.weight.nnz} kept{self.epilogue}"
        )
        self._count(int((kept * per_column).sum()), sizes.feature_rows * self.weight.nnz)

    def kernel(self) -> Run:
        """Binds the CSR weight."""
        product: Any = torch.ops.sparsegnn.spmm_rows.default
        weight, outputs = self.weight, self.weight.shape[1]
        rows = (weight.rowptr, weight.col, weight.value, outputs)

        def run(x: Any) -> Tensor:
            value, scale = x.values()
            out: Tensor = product(*x.structure(), *rows, value, None, scale, None)
            return out

        return run


def _spread_rows(matrix: Tensor) -> Tensor:
    """Copies `matrix` [K, F] to rows that start an odd number of cache lines apart.

    Rows a power of two apart fall into few sets of the cache, so that a column slice which would
    fit is evicted while it is being gathered from.
    """
    rows, width = matrix.shape
    line = _CACHE_LINE // matrix.element_size()
    if width < 4 * line:
        return matrix.contiguous()
    lines = -(-width // line)
    storage = matrix.new_zeros(rows, (lines | 1) * line)
    storage[:, :width] = matrix
    return storage[:, :width]


class FusedHidden(Step):
    """`relu(A X W1 + b1) W2^T` and an epilogue for sparse features: no hidden unit is stored."""

    kind = "fused hidden layer"
    weight: Tensor
    bias: Tensor | None
    output_weight: Tensor

    def __init__(
        self,
        matrix: CsrMatrix,
        weight: Tensor,
        bias: Tensor | None,
        output_weight: Tensor,
        sizes: Sizes,
        epilogue: Epilogue | None = None,
    ) -> None:
        super().__init__(epilogue)
        self.matrix = matrix
        panels = pack_panels(sizes.stored(weight).t())
        hidden, outputs = weight.shape[0], output_weight.shape[0]
        padding = (0, panels.shape[0] * panels.shape[2] - hidden)
        last = functional.pad(sizes.stored(output_weight), padding)
        self.register_buffer("weight", panels)
        self.register_buffer("bias", None if bias is None else functional.pad(bias, padding))
        self.register_buffer("output_weight", last.contiguous())
        (targets, sources), stored = matrix.shape, hidden + padding[1]
        rest = (matrix.nnz + targets * outputs) * stored
        features = sizes.feature_nonzeros * stored
        self._count(features + rest, sources * weight.numel() + rest)
        self.label = f"fused {weight.shape[1]} -> {hidden} -> {outputs}"

    def kernel(self) -> Run:
        """Binds graph, weights and bias."""
        fused: Any = torch.ops.sparsegnn.gcn_hidden.default
        graph = (self.matrix.rowptr, self.matrix.col, self.matrix.value)
        weights = (self.weight, self.bias, self.output_weight)

        def run(x: Any) -> Tensor:
            out: Tensor = fused(x.rowptr, x.col, *x.values(), *graph, *weights)
            return out

        return run
