"""Multiply-accumulate operations, counted three ways.

The papers' conventions count dense features and aggregation per undirected link; they reproduce
the published figures but describe no program. The executed counts describe one forward pass of a
real program: with dense features, and with sparse ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from sparsegnn.compiler.features import Features
from sparsegnn.compiler.graph_ops import Aggregate, Attend, AttendV2, Extreme, SoftmaxMean
from sparsegnn.compiler.network import INPUT, Network, Operation
from sparsegnn.compiler.row_ops import Bias, Linear
from sparsegnn.graph import Graph

Convention = Literal["ugs", "gebt"]


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

    def __add__(self, other: MacCount) -> MacCount:
        """Both together."""
        return MacCount(
            self.papers + other.papers,
            self.executed_dense_features + other.executed_dense_features,
            self.executed + other.executed,
        )


NOTHING = MacCount(0, 0, 0)


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
        convention: Whose: "ugs" aggregates in every layer, once per link; "gebt" in the first layer
            alone, in both directions of every link.
        skip_zeros: Leave out products with weights that are zero; the papers' conventions have
            their share of kept weights instead.
        entries_per_column: int64 [F], of sparse features; needed for that.
    """

    num_nodes: int
    num_links: int
    feature_nonzeros: int | None = None
    edge_density: float = 1.0
    weight_density: float = 1.0
    convention: Convention = "ugs"
    skip_zeros: bool = False
    entries_per_column: Tensor | None = None


def count_macs(network: Network, setting: Setting) -> MacCount:
    """Operations of a network as it stands, in the order that its layers execute.

    Products of features with weights and sums over edges count; elementwise work does not. Sparse
    features save only where a linear map reads them directly.
    """
    return sum(layer_macs(network, setting).values(), NOTHING)


def layer_macs(network: Network, setting: Setting) -> dict[str, MacCount]:
    """The same by the path of the module that the operations come from, in order."""
    counter = _Counter(network, setting)
    found: dict[str, MacCount] = {}
    for value, operation in network.operations.items():
        count = counter.count(value, operation)
        if count != NOTHING:
            found[operation.where] = found.get(operation.where, NOTHING) + count
    return found


class _Counter:
    """Counts single operations.

    A layer that sums neighbours and then projects them does so the other way round where that
    narrows them, or where they are sparse (`sparsegnn.nn.aggregate`).
    """

    def __init__(self, network: Network, setting: Setting) -> None:
        self.network = network
        self.setting = setting
        self.users = network.consumers()
        self.widths = network.widths()

    def count(self, value: int, operation: Operation) -> MacCount:
        if isinstance(operation, Linear):
            return self._linear(operation)
        if isinstance(operation, Aggregate):
            return self._sum(value, operation)
        if isinstance(operation, Extreme | Attend | AttendV2 | SoftmaxMean):
            return self._other(operation)
        return NOTHING

    def _linear(self, linear: Linear) -> MacCount:
        setting, source = self.setting, linear.inputs[0]
        full = setting.num_nodes * linear.weight.numel()
        before = self.network.operations.get(source)
        if isinstance(before, Aggregate) and self._projection(source, before) is linear:
            source = before.inputs[0]
        dense = executed = setting.num_nodes * self._weights(linear)
        if source == INPUT and setting.feature_nonzeros is not None:
            executed = self._sparse_products(linear.weight, setting.feature_nonzeros)
        return MacCount(round(setting.weight_density * full), dense, executed)

    def _weights(self, linear: Linear) -> int:
        weight = linear.weight
        return int(weight.count_nonzero()) if self.setting.skip_zeros else weight.numel()

    def _sparse_products(self, weight: Tensor, stored: int) -> int:
        entries = self.setting.entries_per_column
        if not self.setting.skip_zeros or entries is None:
            return stored * weight.shape[0]
        return int(((weight != 0).sum(dim=0) * entries).sum())

    def _sum(self, value: int, aggregate: Aggregate) -> MacCount:
        source = aggregate.inputs[0]
        dense = executed = self.widths[source]
        linear = self._projection(value, aggregate)
        if linear is not None:
            projected = linear.weight.shape[0]
            dense = min(dense, projected)
            sparse = source == INPUT and self.setting.feature_nonzeros is not None
            executed = projected if sparse else dense
        entries = aggregate.matrix.nnz
        return MacCount(self._papers(aggregate), entries * dense, entries * executed)

    def _other(self, operation: Extreme | Attend | AttendV2 | SoftmaxMean) -> MacCount:
        width = self.widths[operation.inputs[0]]
        executed = operation.matrix.nnz * width
        if isinstance(operation, AttendV2 | SoftmaxMean):
            executed *= 2
        if isinstance(operation, Attend):
            executed += score_macs(self.setting.num_nodes, operation.heads, width)
        return MacCount(self._papers(operation), executed, executed)

    def _projection(self, value: int, aggregate: Aggregate) -> Linear | None:
        """The linear map of the same layer that alone reads a sum."""
        if len(self.users[value]) != 1:
            return None
        follower = self.network.operations.get(self.users[value][0])
        own = aggregate.where, f"{aggregate.where}.nn.lins.0", f"{aggregate.where}.nn.0"
        return follower if isinstance(follower, Linear) and follower.where in own else None

    def _papers(self, operation: Operation) -> int:
        """Aggregation at the width before the linear map that its layer starts with."""
        source = operation.inputs[0]
        while (before := self.network.operations.get(source)) is not None:
            if not isinstance(before, Linear | Bias) or before.where != operation.where:
                break
            source = before.inputs[0]
        links = self.setting.edge_density * self.setting.num_links
        if self.setting.convention == "gebt":
            links *= 2 if source == INPUT else 0
        return round(links * self.widths[source])


def score_macs(num_nodes: int, heads: int, width: int) -> int:
    """Products of rows `[heads * C]` with both attention vectors, as one block-diagonal matrix."""
    return num_nodes * 2 * heads * width


def column_entries(x: Features) -> Tensor | None:
    """int64 [F], the stored entries of every column of sparse features; None for dense ones."""
    if isinstance(x, Tensor):
        return None
    return torch.bincount(x.pattern.col, minlength=x.shape[1])


def undirected_links(graph: Graph) -> int:
    """Distinct pairs {i, j} with i != j."""
    source, target = graph.edge_index
    pair_id, num_pairs = graph.pairs()
    return num_pairs - int(pair_id[source == target].unique().numel())


def weight_density(network: Network) -> float:
    """Share of the weights of linear maps that are not zero."""
    weights = [op.weight for op in network.operations.values() if isinstance(op, Linear)]
    total = sum(weight.numel() for weight in weights)
    kept = sum(int(weight.count_nonzero()) for weight in weights)
    return kept / total if total else 1.0
