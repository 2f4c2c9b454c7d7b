"""Multiply-accumulate operations, counted three ways.

The papers' convention counts dense features and one aggregation per undirected link; it reproduces
the published figures but describes no program. The executed counts describe one forward pass of a
real program: with dense features, and with sparse ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.graph_ops import Aggregate, Attend, AttendV2, Extreme, SoftmaxMean
from sparsegnn.compiler.network import INPUT, Network, Operation
from sparsegnn.compiler.row_ops import Linear
from sparsegnn.graph import Graph


@dataclass(frozen=True)
class MacCount:
    """Multiply-accumulates of one forward pass.

    Attributes:
        papers: The papers' convention.
        executed_dense_features: The executed order, with features as a dense matrix.
        executed: The executed order, with features as they are stored.
    """

    papers: int
    executed_dense_features: int
    executed: int


def papers_macs(
    num_nodes: int,
    num_links: int,
    widths: list[int],
    *,
    edge_density: float = 1.0,
    weight_density: float = 1.0,
) -> int:
    """Counts as the published tables do: dense features, aggregate first, nominal densities.

    `weight_density * N * sum(in * out) + edge_density * links * sum(in)`: no self loops, one
    operation per undirected link and input feature. With Cora's published 5 429 links this gives
    the 2007, 826 and 275 M of the literature; the public graph stores 5 278 distinct pairs, which
    moves the total by at most 0.3 M.

    Args:
        num_nodes: N.
        num_links: Undirected links without self loops.
        widths: Features, hidden units, ..., classes.
        edge_density: Share of edges kept.
        weight_density: Share of weights kept.
    """
    linear = num_nodes * sum(a * b for a, b in pairwise(widths))
    aggregate = num_links * sum(widths[:-1])
    return round(weight_density * linear + edge_density * aggregate)


@dataclass(frozen=True)
class Setting:
    """What counts depend on beside the network.

    Attributes:
        num_nodes: N.
        num_links: Undirected links without self loops.
        feature_nonzeros: Stored entries of sparse features; None for dense ones.
        edge_density: Share of edges kept, for the papers' convention.
        weight_density: Share of weights kept, for the same.
    """

    num_nodes: int
    num_links: int
    feature_nonzeros: int | None = None
    edge_density: float = 1.0
    weight_density: float = 1.0


def count_macs(network: Network, setting: Setting) -> MacCount:
    """Operations of a network as it stands, in the order that its model executes.

    Products of features with weights and sums over edges count; elementwise work does not. Sparse
    features save only where a linear map reads them directly.
    """
    widths = network.widths()
    papers = dense = executed = 0.0
    for operation in network.operations.values():
        source = operation.inputs[0]
        if isinstance(operation, Linear):
            full = setting.num_nodes * operation.weight.numel()
            papers += setting.weight_density * full
            dense += full
            sparse = source == INPUT and setting.feature_nonzeros is not None
            stored = setting.feature_nonzeros or 0
            executed += stored * operation.weight.shape[0] if sparse else full
        elif (per_entry := _macs_per_entry(operation, widths[source])) > 0:
            papers += setting.edge_density * setting.num_links * _papers_width(network, operation)
            over_edges = _matrix(operation).nnz * per_entry
            dense, executed = dense + over_edges, executed + over_edges
    return MacCount(round(papers), round(dense), round(executed))


def _macs_per_entry(operation: Operation, width: int) -> int:
    if isinstance(operation, Aggregate | Extreme | Attend):
        return width
    return 2 * width if isinstance(operation, AttendV2 | SoftmaxMean) else 0


def _matrix(operation: Operation) -> CsrMatrix:
    assert isinstance(operation, Aggregate | Extreme | Attend | AttendV2 | SoftmaxMean)
    return operation.matrix


def _papers_width(network: Network, operation: Operation) -> int:
    """Width that the papers aggregate at: before the linear map that its layer starts with."""
    source = operation.inputs[0]
    before = network.operations.get(source)
    if isinstance(before, Linear) and before.where == operation.where:
        return before.weight.shape[1]
    return network.widths()[source]


def undirected_links(graph: Graph) -> int:
    """Distinct pairs {i, j} with i != j."""
    source, target = graph.edge_index
    pair_id, num_pairs = graph.pairs()
    return num_pairs - int(pair_id[source == target].unique().numel())
