"""The ways in which a layer can be executed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from sparsegnn.tickets.macs import LayerSize, Order
from sparsegnn.tickets.steps import (
    Aggregate,
    CsrLinear,
    CsrMatrix,
    DenseLinear,
    FusedHidden,
    NarrowLinear,
    SparseFeatures,
    Step,
)

NARROW_OUTPUTS = 32
_INT32_LIMIT = 2**31 - 1


@dataclass(frozen=True)
class Candidate:
    """One way to execute a layer.

    Attributes:
        name: For reports.
        sizes: The layers that it covers, as they are executed.
        steps: The operator calls.
    """

    name: str
    sizes: tuple[LayerSize, ...]
    steps: tuple[Step, ...]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one pass."""
        return sum(step.macs for step in self.steps)

    @property
    def cost(self) -> float:
        """Estimated time in arbitrary units, for plans that are not measured."""
        return sum(step.macs * step.cost_per_mac for step in self.steps)


@dataclass(frozen=True)
class Layer:
    """A compacted layer: relu(A h W^T + b), without ReLU when it is the last.

    Attributes:
        adjacency: Normalised adjacency [N, N].
        weight: [out, in], pruned entries 0, live units only.
        bias: [out] or None.
        relu: Whether the layer ends with ReLU.
    """

    adjacency: CsrMatrix
    weight: Tensor
    bias: Tensor | None
    relu: bool

    @property
    def num_nodes(self) -> int:
        """N."""
        return self.adjacency.shape[0]


def sparse_input_candidates(layer: Layer, feature_nonzeros: int) -> Iterator[Candidate]:
    """Plans of a layer whose input is a `CsrMatrix`."""
    yield Candidate(
        "transform first, sparse features, dense weight",
        (_size(layer, layer.weight.numel(), "transform_first"),),
        (SparseFeatures(layer.weight, feature_nonzeros), _last_aggregate(layer)),
    )


def fused_candidate(first: Layer, second: Layer, feature_nonzeros: int) -> Candidate:
    """Plan of two layers over sparse features that never stores the hidden units."""
    sizes = tuple(_size(x, x.weight.numel(), "transform_first") for x in (first, second))
    fused = FusedHidden(first.adjacency, first.weight, first.bias, second.weight, feature_nonzeros)
    name = "both layers, hidden units fused away"
    return Candidate(name, sizes, (fused, _last_aggregate(second)))


def dense_input_candidates(layer: Layer) -> Iterator[Candidate]:
    """Plans of a layer whose input is a dense tensor."""
    weight, nodes = layer.weight, layer.num_nodes
    yield _transform_first(layer, "dense weight", weight.numel(), DenseLinear(weight, nodes))
    dense = DenseLinear(weight, nodes, layer.bias, layer.relu)
    yield _aggregate_first(layer, "dense weight", weight.numel(), dense)
    if weight.numel() <= _INT32_LIMIT:
        csr = CsrLinear(weight, nodes)
        yield _transform_first(layer, "CSR weight", csr.weight.nnz, csr)
        csr = CsrLinear(weight, nodes, layer.bias, layer.relu)
        yield _aggregate_first(layer, "CSR weight", csr.weight.nnz, csr)
    outputs = weight.shape[0]
    if 0 < outputs <= NARROW_OUTPUTS and nodes * outputs <= _INT32_LIMIT:
        narrow = NarrowLinear(weight, nodes)
        yield _transform_first(layer, "dense weight by row dots", weight.numel(), narrow)


def _transform_first(layer: Layer, form: str, weights: int, linear: Step) -> Candidate:
    size = _size(layer, weights, "transform_first")
    return Candidate(f"transform first, {form}", (size,), (linear, _last_aggregate(layer)))


def _aggregate_first(layer: Layer, form: str, weights: int, linear: Step) -> Candidate:
    size = _size(layer, weights, "aggregate_first")
    first = Aggregate(layer.adjacency, layer.weight.shape[1])
    return Candidate(f"aggregate first, {form}", (size,), (first, linear))


def _size(layer: Layer, weights: int, order: Order) -> LayerSize:
    outputs, inputs = layer.weight.shape
    return LayerSize(inputs, outputs, weights, order)


def _last_aggregate(layer: Layer) -> Aggregate:
    return Aggregate(layer.adjacency, layer.weight.shape[0], layer.bias, layer.relu)
