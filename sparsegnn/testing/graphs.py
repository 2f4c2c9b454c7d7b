"""Graphs on which kernels break: generated, seeded, described by name."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sparsegnn.graph import Graph


class EdgeList(NamedTuple):
    """An edge list with its node counts."""

    edge_index: Tensor
    num_src: int
    num_dst: int

    def graph(self) -> Graph:
        """The graph of the edges, in their order."""
        return Graph.from_edge_index(self.edge_index, num_src=self.num_src, num_dst=self.num_dst)


def random_graph(num_dst: int, num_src: int, num_edges: int, seed: int = 0) -> EdgeList:
    """Uniform random edges in random order, parallel edges and loops included."""
    generator = torch.Generator().manual_seed(seed)
    if num_dst == 0 or num_src == 0:
        num_edges = 0
    source = torch.randint(0, max(num_src, 1), (num_edges,), generator=generator)
    target = torch.randint(0, max(num_dst, 1), (num_edges,), generator=generator)
    return EdgeList(torch.stack([source, target]), num_src, num_dst)


def power_law_graph(num_nodes: int, num_edges: int, exponent: float = 0.6, seed: int = 0) -> Graph:
    """Chung-Lu style edges: node i is drawn with probability ~ (i + 10)^-exponent, ids shuffled."""
    rng = np.random.default_rng(seed)
    weight = (np.arange(num_nodes) + 10.0) ** -exponent
    cumulative = np.cumsum(weight / weight.sum())
    shuffled = rng.permutation(num_nodes)
    ends = np.searchsorted(cumulative, rng.random((2, num_edges))).clip(max=num_nodes - 1)
    return Graph.from_edge_index(torch.from_numpy(shuffled[ends]), num_nodes)


def _hub(degree: int) -> EdgeList:
    source = torch.arange(degree) % 97
    target = torch.full((degree,), 3)
    extra = torch.tensor([[0, 1, 96], [0, 0, 5]])
    return EdgeList(torch.cat([torch.stack([source, target]), extra], dim=1), 97, 6)


ADVERSARIAL = (
    "no nodes",
    "no edges",
    "one node",
    "one loop",
    "isolated nodes",
    "parallel edges",
    "hub row",
    "hub column",
    "wide",
    "tall",
    "path",
    "complete",
    "sorted",
    "random",
)


def adversarial_graph(name: str) -> EdgeList:
    """The edge list called `name` in `ADVERSARIAL`."""
    empty = torch.zeros(2, 0, dtype=torch.int64)
    path = torch.arange(40)
    made = {
        "no nodes": EdgeList(empty, 0, 0),
        "no edges": EdgeList(empty, 7, 5),
        "one node": EdgeList(empty, 1, 1),
        "one loop": EdgeList(torch.zeros(2, 1, dtype=torch.int64), 1, 1),
        "isolated nodes": EdgeList(random_graph(5, 5, 12, 1).edge_index + 20, 60, 60),
        "parallel edges": EdgeList(torch.tensor([[1, 1, 1, 0], [2, 2, 2, 2]]), 3, 3),
        "hub row": _hub(1500),
        "hub column": EdgeList(_hub(1500).edge_index.flip(0), 6, 97),
        "wide": random_graph(3, 211, 150, 2),
        "tall": random_graph(211, 3, 150, 3),
        "path": EdgeList(torch.stack([path[:-1], path[1:]]), 40, 40),
        "complete": EdgeList(torch.cartesian_prod(torch.arange(9), torch.arange(9)).t(), 9, 9),
        "random": random_graph(50, 40, 400, 4),
    }
    if name == "sorted":
        graph = random_graph(50, 40, 400, 5).graph()
        return EdgeList(graph.edge_index[:, graph.canonical_order()], 40, 50)
    return made[name]
