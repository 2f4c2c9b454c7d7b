"""Messages that differ from edge to edge, aggregated by the operators for those of nodes."""

from __future__ import annotations

import torch
from torch import Tensor

from sparsegnn.graph import CsrTensors, Graph
from sparsegnn.ops import edge_softmax, spmm
from sparsegnn.ops._edge_values import EdgeMask


def edges_as_sources(graph: Graph) -> Graph:
    """The bipartite graph in which edge e is the source of its own edge e; cached."""
    cached = graph._cache.get("edges_as_sources")
    if cached is None:
        with torch.inference_mode(False):
            cached = graph._cache["edges_as_sources"] = Graph(_tensors(graph), unsafe=True)
    result: Graph = cached
    return result


def _tensors(graph: Graph) -> CsrTensors:
    every = torch.arange(graph.num_edges + 1, dtype=graph.col.dtype, device=graph.device)
    target = graph.edge_index[1].to(graph.col.dtype)
    source = every[:-1] if graph.edge_id is None else graph.edge_id
    return CsrTensors(graph.rowptr, source, graph.edge_id, every, target, None)


def softmax_over_edges(
    graph: Graph, messages: Tensor, t: Tensor | float, edge_mask: EdgeMask
) -> Tensor:
    """`sum_e p[e] m[e]` by channel, p the softmax of `t m` over the kept edges, a constant.

    Two tensors of size E x F: p without its gradient is no sum over nodes.
    """
    per_edge = messages[graph.edge_index[0]]
    weights = edge_softmax(graph, (per_edge * t).detach(), edge_mask)
    return spmm(edges_as_sources(graph), per_edge * weights.to(per_edge.dtype), None, edge_mask)
