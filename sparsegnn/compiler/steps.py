"""The steps of a compiled program: each binds one kernel to static operands.

`bind()` returns a plain function over tensors looked up once, so that running a step costs one
operator call. It takes what the step reads, and last the residual where its epilogue adds one. It
must be called again after the buffers have moved (`.to()`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.epilogue import Epilogue, Finish
from sparsegnn.ops import pack_panels

Run = Callable[..., Tensor]

_CACHE_LINE = 64


class Step(nn.Module):
    """One operator call of a program.

    Attributes:
        label: How reports name it.
        macs: Multiply-accumulates per call.
        dense_macs: The same if the features were stored dense.
        cost_per_mac: Rough relative time of one, for plans that are not measured.
    """

    label: str
    macs: int
    dense_macs: int
    cost_per_mac: float = 1.0

    def bind(self) -> Run:
        """Returns the function of the step's inputs."""
        raise NotImplementedError

    def _count(self, macs: int, dense_macs: int | None = None) -> None:
        self.macs = macs
        self.dense_macs = macs if dense_macs is None else dense_macs


def _then(run: Run, finish: Finish | None) -> Run:
    """`finish` after `run`; the residual is its own."""
    if finish is None:
        return run
    return lambda h, *extra: finish(run(h), *extra)


class Spmm(Step):
    """`A h` and an epilogue for a matrix of edge values A, h [N, F]."""

    def __init__(self, matrix: CsrMatrix, width: int, epilogue: Epilogue | None = None) -> None:
        super().__init__()
        self.matrix = matrix
        self.epilogue = Epilogue() if epilogue is None else epilogue
        self.label = f"aggregate {width} wide{self.epilogue}"
        self._count(matrix.nnz * width)

    def bind(self) -> Run:
        """Binds the matrix and what the kernel fuses of the epilogue."""
        spmm: Any = torch.ops.sparsegnn.spmm.default
        structure, (value, scale) = self.matrix.structure(), self.matrix.values()
        last = self.epilogue
        bias, relu = last.bias, last.relu_first
        fuses = last.residual and (last.before is None or relu)

        def run(h: Any, *extra: Tensor) -> Tensor:
            residual = extra[0] if fuses else None
            out: Tensor = spmm(
                *structure, h, value, None, None, scale, None, bias, False, relu, residual
            )
            return out

        finish = last.rest(bias=True, before=relu, residual=fuses)
        if finish is None:
            return run
        return lambda h, *extra: finish(run(h, *extra), *extra)


class SparseFeatures(Step):
    """`X W` and an epilogue for sparse features X, a `CsrMatrix`, and a dense W [in, out]."""

    weight: Tensor

    def __init__(
        self,
        weight: Tensor,
        num_nodes: int,
        feature_nonzeros: int,
        epilogue: Epilogue | None = None,
    ) -> None:
        super().__init__()
        self.epilogue = Epilogue() if epilogue is None else epilogue
        self.register_buffer("weight", _spread_rows(weight.t()))
        self.label = f"sparse features x dense weight {weight.shape[1]} -> {weight.shape[0]}"
        self._count(feature_nonzeros * weight.shape[0], num_nodes * weight.numel())

    def bind(self) -> Run:
        """Binds the weight and what the kernel fuses of the epilogue."""
        spmm: Any = torch.ops.sparsegnn.spmm.default
        weight, bias, relu = self.weight, self.epilogue.bias, self.epilogue.relu_first

        def run(x: Any) -> Tensor:
            value, scale = x.values()
            out: Tensor = spmm(
                *x.structure(), weight, value, None, None, scale, None, bias, False, relu
            )
            return out

        return _then(run, self.epilogue.rest(bias=True, before=relu))


class SparseProduct(Step):
    """`X W` and an epilogue, X and W [in, out] both sparse: cost in proportion to what meets."""

    def __init__(
        self,
        weight: Tensor,
        num_nodes: int,
        entries_per_column: Tensor,
        epilogue: Epilogue | None = None,
    ) -> None:
        super().__init__()
        self.epilogue = Epilogue() if epilogue is None else epilogue
        self.weight = CsrMatrix.from_dense(weight.t())
        kept = self.weight.rowptr.diff().to(entries_per_column)
        met = int((kept * entries_per_column).sum())
        self.label = (
            f"sparse features x CSR weight {weight.shape[1]} -> {weight.shape[0]}, "
            f"{self.weight.nnz} kept{self.epilogue}"
        )
        self._count(met, num_nodes * self.weight.nnz)
        self.cost_per_mac = 3.0

    def bind(self) -> Run:
        """Binds the CSR weight and what follows."""
        product: Any = torch.ops.sparsegnn.spmm_rows.default
        weight, outputs = self.weight, self.weight.shape[1]
        rows = (weight.rowptr, weight.col, weight.value, outputs)

        def run(x: Any) -> Tensor:
            value, scale = x.values()
            out: Tensor = product(*x.structure(), *rows, value, None, scale, None)
            return out

        return _then(run, self.epilogue.rest())


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

    weight: Tensor
    bias: Tensor | None
    output_weight: Tensor

    def __init__(
        self,
        matrix: CsrMatrix,
        weight: Tensor,
        bias: Tensor | None,
        output_weight: Tensor,
        feature_nonzeros: int,
        epilogue: Epilogue | None = None,
    ) -> None:
        super().__init__()
        self.matrix = matrix
        self.epilogue = Epilogue() if epilogue is None else epilogue
        panels = pack_panels(weight.t())
        hidden, outputs = weight.shape[0], output_weight.shape[0]
        padding = (0, panels.shape[0] * panels.shape[2] - hidden)
        self.register_buffer("weight", panels)
        self.register_buffer("bias", None if bias is None else functional.pad(bias, padding))
        self.register_buffer("output_weight", functional.pad(output_weight, padding).contiguous())
        targets, sources = matrix.shape
        stored = hidden + padding[1]
        rest = (matrix.nnz + targets * outputs) * stored
        self._count(feature_nonzeros * stored + rest, sources * weight.numel() + rest)
        self.label = f"fused {weight.shape[1]} -> {hidden} -> {outputs}"
        self.cost_per_mac = 0.8

    def bind(self) -> Run:
        """Binds graph, weights and bias."""
        fused: Any = torch.ops.sparsegnn.gcn_hidden.default
        graph = (self.matrix.rowptr, self.matrix.col, self.matrix.value)
        weights = (self.weight, self.bias, self.output_weight)

        def run(x: Any) -> Tensor:
            out: Tensor = fused(x.rowptr, x.col, *x.values(), *graph, *weights)
            return out

        return _then(run, self.epilogue.rest())


class DenseLinear(Step):
    """`h W^T` and an epilogue with a compacted dense W [out, in]."""

    weight: Tensor

    def __init__(self, weight: Tensor, num_nodes: int, epilogue: Epilogue | None = None) -> None:
        super().__init__()
        self.register_buffer("weight", weight.contiguous())
        self.epilogue = Epilogue() if epilogue is None else epilogue
        self.label = f"dense weight {weight.shape[1]} -> {weight.shape[0]}{self.epilogue}"
        self._count(num_nodes * weight.numel())
        self.cost_per_mac = 0.3 if weight.shape[0] >= 32 else 3.0

    def bind(self) -> Run:
        """Binds weight, bias and what follows."""
        weight, bias = self.weight, self.epilogue.bias
        return _then(lambda h: functional.linear(h, weight, bias), self.epilogue.rest(bias=True))


class CsrLinear(Step):
    """`h W^T` and an epilogue with W [out, in] in CSR: cost in proportion to the kept weights."""

    def __init__(self, weight: Tensor, num_nodes: int, epilogue: Epilogue | None = None) -> None:
        super().__init__()
        self.weight = CsrMatrix.from_dense(weight)
        self.epilogue = Epilogue() if epilogue is None else epilogue
        self.label = (
            f"CSR weight {weight.shape[1]} -> {weight.shape[0]}, {self.weight.nnz} kept"
            f"{self.epilogue}"
        )
        self._count(num_nodes * self.weight.nnz)
        self.cost_per_mac = 2.0

    def bind(self) -> Run:
        """Binds the CSR weight, bias and what follows."""
        linear: Any = torch.ops.sparsegnn.sparse_linear.default
        structure, value, bias = self.weight.structure(), self.weight.value, self.epilogue.bias

        def run(h: Any) -> Tensor:
            out: Tensor = linear(*structure, h, value, bias)
            return out

        return _then(run, self.epilogue.rest(bias=True))


class NarrowLinear(Step):
    """`h W^T` and an epilogue for a few outputs: row dots on the complete pattern [N, out].

    Every row of h is read once and stays in the first-level cache for all outputs; a general matrix
    product is several times slower at such widths.
    """

    weight: Tensor
    rowptr: Tensor
    col: Tensor
    column_shape: Tensor

    def __init__(self, weight: Tensor, num_nodes: int, epilogue: Epilogue | None = None) -> None:
        super().__init__()
        out_units = weight.shape[0]
        self.epilogue = Epilogue() if epilogue is None else epilogue
        self.register_buffer("weight", weight.contiguous())
        most = max(num_nodes, out_units) + 1
        ids = torch.arange(most, dtype=torch.int32, device=weight.device)
        rows = ids[: num_nodes + 1] * out_units
        self.register_buffer("rowptr", rows, persistent=False)
        cols = ids[:out_units].repeat(num_nodes)
        self.register_buffer("col", cols, persistent=False)
        shape = torch.zeros_like(ids[: out_units + 1])
        self.register_buffer("column_shape", shape, persistent=False)
        self.label = f"dense weight by row dots {weight.shape[1]} -> {out_units}"
        self._count(num_nodes * weight.numel())

    def bind(self) -> Run:
        """Binds the weight and the pattern."""
        sddmm: Any = torch.ops.sparsegnn.sddmm.default
        structure = (self.rowptr, self.col, None, self.column_shape, self.col, None)
        weight, out_units = self.weight, self.weight.shape[0]

        def run(h: Any) -> Tensor:
            out: Tensor = sddmm(*structure, h, weight, None, None, None, None)
            return out.view(-1, out_units)

        return _then(run, self.epilogue.rest())
