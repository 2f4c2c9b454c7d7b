"""What the layers accept as graph and features."""

from __future__ import annotations

import torch
from torch import Tensor

from sparsegnn.graph import Graph
from sparsegnn.sparse_matrix import SparseMatrix

GraphLike = Graph | Tensor
Features = Tensor | SparseMatrix


def num_rows(x: Features) -> int:
    """Number of nodes that x describes."""
    return x.shape[0]


def as_graph(graph: GraphLike, num_nodes: int) -> Graph:
    """A `Graph` from a `Graph`, an `edge_index` `[2, E]` or a torch CSR adjacency.

    Building one costs a sort; layers that run more than once should be given a `Graph`.
    """
    if isinstance(graph, Graph):
        if graph.num_src != num_nodes:
            raise ValueError(
                f"x must have one row per node of the graph, {graph.num_src}, got {num_nodes}."
            )
        return graph
    if graph.layout == torch.sparse_csr:
        return Graph.from_torch_csr(graph)
    return Graph.from_edge_index(graph, num_nodes)
