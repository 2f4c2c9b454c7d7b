"""Symmetric normalisation of a graph with self loops."""

from __future__ import annotations

import torch
from torch import Tensor

from sparsegnn.graph import Graph
from sparsegnn.ops import sddmm, spmm
from sparsegnn.ops._autocast import without_autocast


def gcn_norm(
    graph: Graph,
    edge_weight: Tensor | None = None,
    *,
    improved: bool = False,
    add_self_loops: bool = True,
    dtype: torch.dtype = torch.float32,
) -> tuple[Graph, Tensor]:
    """`D^-1/2 (A + I) D^-1/2` of Kipf and Welling (arXiv 1609.02907), as PyG's `gcn_norm`.

    Args:
        graph: Square graph.
        edge_weight: `[E]`; by default ones. Degrees are sums of weights into a node, so a pruned
            edge changes the norm of its neighbours.
        improved: Loops of weight 2 instead of 1 beside given edge weights; without weights loops
            have weight 1 either way, as in PyG's `edge_index` path.
        add_self_loops: Whether nodes without a loop get one; the loops are never pruned.
        dtype: Dtype of the result when no weights are given.

    Returns:
        The graph with loops and its edge values `[E + L]`, in that graph's edge order. A node whose
        weights do not sum to a positive number gets norm 0. Differentiable in edge_weight.
    """
    if edge_weight is not None and edge_weight.shape != (graph.num_edges,):
        raise ValueError(
            f"edge_weight must have shape [{graph.num_edges}], got {list(edge_weight.shape)}."
        )
    if edge_weight is None:
        return _unweighted_norm(graph, add_self_loops, dtype)
    looped = graph.with_self_loops() if add_self_loops else graph
    fill = 2.0 if improved else 1.0
    loops = edge_weight.new_full((looped.num_edges - graph.num_edges,), fill)
    return looped, _normalize(looped, torch.cat([edge_weight, loops]))


def without_repeated_loops(graph: Graph, edge_weight: Tensor | None) -> tuple[Graph, Tensor | None]:
    """Of several loops at a node only the last, as PyG's `gcn_norm` keeps them; cached."""
    cached = graph._cache.get("last_loops")
    if cached is None:
        source, target = graph.edge_index
        loops = (source == target).nonzero().squeeze(1)
        last = torch.full((graph.num_nodes,), -1, dtype=torch.int64, device=graph.device)
        last = last.scatter_reduce(0, source[loops], loops, "amax")
        keep = torch.ones(graph.num_edges, dtype=torch.bool, device=graph.device)
        keep[loops] = last[source[loops]] == loops
        repeated = not bool(keep.all())
        cached = (graph.select(keep), keep) if repeated else (graph, None)
        graph._cache["last_loops"] = cached
    reduced, kept = cached
    if kept is None or edge_weight is None:
        return reduced, edge_weight
    return reduced, edge_weight[kept]


def _unweighted_norm(
    graph: Graph, add_self_loops: bool, dtype: torch.dtype
) -> tuple[Graph, Tensor]:
    """The norm of a plain graph, in storage order and cached on the graph."""
    key = ("gcn_norm", add_self_loops, dtype)
    cached = graph._cache.get(key)
    if cached is None:
        with torch.inference_mode(False), torch.no_grad():
            ones = torch.ones(graph.num_edges, dtype=dtype, device=graph.device)
            looped, norm = gcn_norm(graph, ones, add_self_loops=add_self_loops)
            cached = (looped.in_storage_order(), norm[looped.canonical_order()])
        graph._cache[key] = cached
    looped, norm = cached
    return looped, norm


def _normalize(graph: Graph, weight: Tensor) -> Tensor:
    ones = weight.new_ones(graph.num_src, 1)
    with without_autocast(weight.device):  # degrees above 256 are no bfloat16
        degree = spmm(graph, ones, edge_weight=weight)
        positive = degree > 0
        inverse_root = torch.where(positive, degree, 1.0).rsqrt() * positive
        return sddmm(graph, inverse_root, inverse_root, edge_mask=weight)
