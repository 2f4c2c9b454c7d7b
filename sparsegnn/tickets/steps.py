"""The steps of a compiled program: each binds one kernel to static operands.

`bind()` returns a plain function over tensors looked up once, so that running a step costs one
operator call. It must be called again after the buffers have moved (`.to()`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparsegnn.graph import Graph
from sparsegnn.ops import pack_panels

Run = Callable[[Any], Tensor]

_CACHE_LINE = 64


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
        counts = torch.bincount(rows, minlength=matrix.shape[0])
        rowptr = torch.cat([counts.new_zeros(1), counts.cumsum(0)]).to(torch.int32)
        return cls(rowptr, cols.to(torch.int32), matrix[rows, cols], matrix.shape[1])

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


class Step(nn.Module):
    """One operator call of a program.

    Attributes:
        label: How reports name it.
        macs: Multiply-accumulates per call.
        cost_per_mac: Rough relative time of one, for plans that are not measured.
    """

    label: str
    macs: int
    cost_per_mac: float = 1.0

    def bind(self) -> Run:
        """Returns the function of the step's input."""
        raise NotImplementedError


class Aggregate(Step):
    """`act(A h + bias)` for the normalised adjacency A, h [N, F]."""

    bias: Tensor | None

    def __init__(
        self, adjacency: CsrMatrix, width: int, bias: Tensor | None = None, relu: bool = False
    ) -> None:
        super().__init__()
        self.adjacency = adjacency
        self.register_buffer("bias", bias)
        self.relu = relu
        self.label = f"aggregate {width} wide" + (" + relu" if relu else "")
        self.macs = adjacency.nnz * width

    def bind(self) -> Run:
        """Binds the matrix, the bias and the activation."""
        spmm: Any = torch.ops.sparsegnn.spmm.default
        structure, value = self.adjacency.structure(), self.adjacency.value
        bias, relu = self.bias, self.relu

        def run(h: Any) -> Tensor:
            out: Tensor = spmm(*structure, h, value, None, None, None, None, bias, False, relu)
            return out

        return run


class SparseFeatures(Step):
    """`X W` for sparse features X, given as a `CsrMatrix`, and a dense W [in, out]."""

    weight: Tensor

    def __init__(self, weight: Tensor, feature_nonzeros: int) -> None:
        super().__init__()
        self.register_buffer("weight", _spread_rows(weight.t()))
        self.label = f"sparse features x dense weight {weight.shape[1]} -> {weight.shape[0]}"
        self.macs = feature_nonzeros * weight.shape[0]

    def bind(self) -> Run:
        """Binds the weight."""
        spmm: Any = torch.ops.sparsegnn.spmm.default
        weight = self.weight

        def run(x: Any) -> Tensor:
            value, scale = x.values()
            out: Tensor = spmm(
                *x.structure(), weight, value, None, None, scale, None, None, False, False
            )
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
    """`relu(A X W1 + b1) W2^T` for sparse features: the hidden layer is never stored."""

    weight: Tensor
    bias: Tensor | None
    output_weight: Tensor

    def __init__(
        self,
        adjacency: CsrMatrix,
        weight: Tensor,
        bias: Tensor | None,
        output_weight: Tensor,
        feature_nonzeros: int,
    ) -> None:
        super().__init__()
        self.adjacency = adjacency
        panels = pack_panels(weight.t())
        hidden, outputs = weight.shape[0], output_weight.shape[0]
        padding = (0, panels.shape[0] * panels.shape[2] - hidden)
        self.register_buffer("weight", panels)
        self.register_buffer("bias", None if bias is None else functional.pad(bias, padding))
        self.register_buffer("output_weight", functional.pad(output_weight, padding).contiguous())
        nodes = adjacency.shape[0]
        self.macs = (feature_nonzeros + adjacency.nnz + nodes * outputs) * (hidden + padding[1])
        self.label = f"fused {weight.shape[1]} -> {hidden} -> {outputs}"
        self.cost_per_mac = 0.8

    def bind(self) -> Run:
        """Binds graph, weights and bias."""
        fused: Any = torch.ops.sparsegnn.gcn_hidden.default
        graph = (self.adjacency.rowptr, self.adjacency.col, self.adjacency.value)
        weights = (self.weight, self.bias, self.output_weight)

        def run(x: Any) -> Tensor:
            out: Tensor = fused(x.rowptr, x.col, *x.values(), *graph, *weights)
            return out

        return run


class DenseLinear(Step):
    """`act(h W^T + bias)` with a compacted dense W [out, in]."""

    weight: Tensor
    bias: Tensor | None

    def __init__(
        self, weight: Tensor, num_nodes: int, bias: Tensor | None = None, relu: bool = False
    ) -> None:
        super().__init__()
        self.register_buffer("weight", weight.contiguous())
        self.register_buffer("bias", bias)
        self.relu = relu
        self.label = f"dense weight {weight.shape[1]} -> {weight.shape[0]}"
        self.macs = num_nodes * weight.numel()
        self.cost_per_mac = 0.3 if weight.shape[0] >= 32 else 3.0

    def bind(self) -> Run:
        """Binds weight, bias and activation."""
        weight, bias = self.weight, self.bias
        if not self.relu:
            return lambda h: functional.linear(h, weight, bias)
        return lambda h: functional.linear(h, weight, bias).relu_()


class CsrLinear(Step):
    """`act(h W^T + bias)` with W [out, in] in CSR: cost in proportion to the kept weights."""

    bias: Tensor | None

    def __init__(
        self, weight: Tensor, num_nodes: int, bias: Tensor | None = None, relu: bool = False
    ) -> None:
        super().__init__()
        self.weight = CsrMatrix.from_dense(weight)
        self.register_buffer("bias", bias)
        self.relu = relu
        self.label = f"CSR weight {weight.shape[1]} -> {weight.shape[0]}, {self.weight.nnz} kept"
        self.macs = num_nodes * self.weight.nnz
        self.cost_per_mac = 2.0

    def bind(self) -> Run:
        """Binds the CSR weight, bias and activation."""
        linear: Any = torch.ops.sparsegnn.sparse_linear.default
        structure, value, bias = self.weight.structure(), self.weight.value, self.bias

        def run(h: Any) -> Tensor:
            out: Tensor = linear(*structure, h, value, bias)
            return out

        if not self.relu:
            return run
        return lambda h: run(h).relu_()


class NarrowLinear(Step):
    """`h W^T` for a few outputs, as row dots on the complete bipartite pattern [N, out].

    Every row of h is read once and stays in the first-level cache for all outputs; a general matrix
    product is several times slower at such widths.
    """

    weight: Tensor
    rowptr: Tensor
    col: Tensor
    column_shape: Tensor

    def __init__(self, weight: Tensor, num_nodes: int) -> None:
        super().__init__()
        out_units = weight.shape[0]
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
        self.macs = num_nodes * weight.numel()

    def bind(self) -> Run:
        """Binds the weight and the pattern."""
        sddmm: Any = torch.ops.sparsegnn.sddmm.default
        structure = (self.rowptr, self.col, None, self.column_shape, self.col, None)
        weight, out_units = self.weight, self.weight.shape[0]

        def run(h: Any) -> Tensor:
            out: Tensor = sddmm(*structure, h, weight, None, None, None, None)
            return out.view(-1, out_units)

        return run
