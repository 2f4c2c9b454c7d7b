"""Orders of the nodes in which the rows that an aggregation gathers lie near each other."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sparsegnn.graph import Graph

METHODS = ("degree", "rcm", "metis")

# Nodes per part: a part's rows of 64 channels fit the second-level cache.
_PART_NODES = 2048


def check_method(method: str | None) -> None:
    """Raises unless `method` is None or an order that can be made here.

    Raises:
        ValueError: It is none of the three, or METIS is not installed.
    """
    if method is None:
        return
    if method not in METHODS:
        raise ValueError(f"reorder must be 'degree', 'rcm' or 'metis', got {method!r}")
    if method == "metis" and importlib.util.find_spec("pymetis") is None:
        raise ValueError("reorder='metis' needs the package pymetis, which is not installed")


def ordering(graph: Graph, method: str) -> Tensor:
    """The nodes, int64 `[N]`, in another order; the same for the same graph.

    Args:
        graph: A square graph.
        method: "degree": by the number of edges at a node, most first, so that what is read most
            often stays in the cache. "rcm": reverse Cuthill-McKee (1969; George, 1971), of small
            bandwidth. "metis": part by part of a partition with few edges between parts (Karypis
            and Kumar, 1998).
    """
    if graph.num_nodes == 0:
        return torch.arange(0, device=graph.device)
    if method == "degree":
        degree = graph.in_degree() + graph.out_degree()
        return torch.argsort(degree, descending=True, stable=True)
    order = _rcm(graph) if method == "rcm" else _metis(graph)
    return torch.from_numpy(order.astype(np.int64)).to(graph.device)


def _rcm(graph: Graph) -> Any:
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    return reverse_cuthill_mckee(_both_ways(graph), symmetric_mode=True)


def _metis(graph: Graph) -> Any:
    pymetis = importlib.import_module("pymetis")
    pattern = _both_ways(graph)
    pattern.setdiag(0)
    pattern.eliminate_zeros()
    neighbours = np.split(pattern.indices, pattern.indptr[1:-1])
    parts = -(-graph.num_nodes // _PART_NODES)
    _, membership = pymetis.part_graph(parts, adjacency=neighbours)
    return np.argsort(np.asarray(membership), kind="stable")


def _both_ways(graph: Graph) -> Any:
    """The graph with every edge in both directions, as a SciPy matrix."""
    from scipy import sparse

    rowptr, col = graph.rowptr.cpu().numpy(), graph.col.cpu().numpy()
    shape = graph.num_dst, graph.num_src
    one_way = sparse.csr_matrix((np.ones(len(col), np.float32), col, rowptr), shape=shape)
    return (one_way + one_way.T).tocsr()
