"""A node's own features as one more message, beside the loops that the graph has."""

from __future__ import annotations

import torch
from torch import Tensor

from sparsegnn.graph import Graph


def with_own_messages(graph: Graph, weight: Tensor | None, factor: Tensor) -> tuple[Graph, Tensor]:
    """The graph with one more loop at every node, and its edge values.

    Args:
        graph: As many targets as sources.
        weight: `[E]` of the dtype of the factor, None for 1.
        factor: `[1]`, what a node's own features are multiplied by.

    Returns:
        The graph, made once for every graph, and values `[E + N]`.
    """
    values = factor.new_ones(graph.num_edges) if weight is None else weight.to(factor.dtype)
    return _with_loops(graph), torch.cat([values, factor.expand(graph.num_dst)])


def _with_loops(graph: Graph) -> Graph:
    cached = graph._cache.get("own_messages")
    if cached is None:
        with torch.inference_mode(False):
            nodes = torch.arange(graph.num_dst, device=graph.device).expand(2, -1)
            edges = torch.cat([graph.edge_index, nodes], dim=1)
            cached = graph._cache["own_messages"] = Graph.from_edge_index(
                edges, num_nodes=graph.num_dst
            )
    result: Graph = cached
    return result
