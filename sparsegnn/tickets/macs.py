"""Multiply-accumulate operations of a GCN, counted three ways, and bytes.

The papers' convention counts dense features and one aggregation per undirected link; it reproduces
the published figures but describes no program. The executed counts describe one forward pass of a
real program: with dense features, and with sparse ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Order = Literal["aggregate_first", "transform_first"]


@dataclass(frozen=True)
class LayerSize:
    """One layer as a program executes it.

    Attributes:
        in_units: Width of the layer's input.
        out_units: Width of its output.
        weights: Weight entries multiplied per node: in * out when dense, else the stored ones.
        order: Whether the graph or the weight comes first.
    """

    in_units: int
    out_units: int
    weights: int
    order: Order = "transform_first"


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


def executed_macs(
    num_nodes: int, num_entries: int, layers: list[LayerSize], feature_nonzeros: int | None = None
) -> int:
    """Counts what a program executes in one forward pass.

    Args:
        num_nodes: N.
        num_entries: Stored entries of the normalised adjacency, self loops included.
        layers: The layers in order.
        feature_nonzeros: Stored entries of sparse features; None for dense ones. Sparse features
            enter only a first layer that transforms first, with a dense weight.
    """
    total = 0
    for index, layer in enumerate(layers):
        sparse_input = index == 0 and feature_nonzeros is not None
        if sparse_input and layer.order == "transform_first":
            assert feature_nonzeros is not None
            total += feature_nonzeros * layer.out_units
        else:
            total += num_nodes * layer.weights
        first = layer.order == "aggregate_first"
        total += num_entries * (layer.in_units if first else layer.out_units)
    return total
