"""Random walks on the shared graph."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

import sparsegnn as sg
from bench.cases import OURS, Builders, Case
from bench.harness import Run
from bench.inputs import EdgeList

LENGTH = 20
WALKS = 100_000
KINDS = ("static", "temporal", "weighted")


def cases(edges: EdgeList) -> Builders:
    """Static walks, walks in the order of time, and static walks by edge weight."""
    return {f"random-walk/{kind}": partial(walks, edges, kind) for kind in KINDS}


def walks(edges: EdgeList, kind: str, count: int = WALKS) -> Case:
    """`count` walks of 20 steps from random nodes; edges are sorted and summed beforehand.

    The choices are random by nature: the walks' correctness is for the tests.
    """
    generator = torch.Generator().manual_seed(4)
    graph = sg.Graph.from_edge_index(edges.edge_index, num_nodes=edges.num_nodes)
    start = torch.randint(0, edges.num_nodes, (count,), generator=generator)
    times = torch.randint(0, 1_000_000, (graph.num_edges,), generator=generator)
    sorted_edges = sg.ops.TemporalEdges.sort(graph, times)
    weight = torch.rand(graph.num_edges, generator=generator)
    weighted = sg.ops.WeightedEdges.sum(graph, weight)
    if kind == "weighted":
        stored = weight if weighted.edge_id is None else weight[weighted.edge_id.long()]
        numpy_walk = _numpy_weighted_walk(weighted, stored, start)
    else:
        numpy_walk = _numpy_walk(sorted_edges, start, kind == "temporal")
    walked = {"static": graph, "temporal": sorted_edges, "weighted": weighted}[kind]
    return Case(
        name=f"random-walk/{kind}",
        alternatives={
            OURS: lambda: sg.ops.random_walk(walked, start, LENGTH, seed=3),
            "numpy, all walks a step": numpy_walk,
        },
        params={"walks": count, "length": LENGTH, "arcs": graph.num_edges},
        note="NumPy moves all walks together and finds edges by a vectorised search.",
    )


def _numpy_walk(edges: sg.ops.TemporalEdges, start: Tensor, temporal: bool) -> Run:
    rowptr, col = edges.rowptr.long().numpy(), edges.col.long().numpy()
    time = edges.time.numpy()
    rng = np.random.default_rng(0)
    # Sorted by (node, time), so one search over the pairs finds where a row's suffix begins.
    scale = int(time.max(initial=0)) + 1
    key = np.repeat(np.arange(rowptr.size - 1), np.diff(rowptr)) * scale + time

    def run() -> Tensor:
        nodes = np.full((start.numel(), LENGTH + 1), -1)
        node, clock = start.numpy().copy(), np.zeros(start.numel(), dtype=np.int64)
        nodes[:, 0] = node
        alive = np.arange(node.size)
        for step in range(1, LENGTH + 1):
            end = rowptr[node + 1]
            first = np.searchsorted(key, node * scale + clock) if temporal else rowptr[node]
            going = first < end
            alive, first, end = alive[going], first[going], end[going]
            at = first + (rng.random(first.size) * (end - first)).astype(np.int64)
            node, clock = col[at], time[at]
            nodes[alive, step] = node
        return torch.from_numpy(nodes)

    return run


def _numpy_weighted_walk(edges: sg.ops.WeightedEdges, weight: Tensor, start: Tensor) -> Run:
    rowptr, col = edges.rowptr.long().numpy(), edges.col.long().numpy()
    rng = np.random.default_rng(0)
    # One running sum over all rows, so one search finds the edge of every walk.
    until = np.concatenate([[0.0], np.cumsum(weight.double().numpy())])

    def run() -> Tensor:
        nodes = np.full((start.numel(), LENGTH + 1), -1)
        node = start.numpy().copy()
        nodes[:, 0] = node
        alive = np.arange(node.size)
        for step in range(1, LENGTH + 1):
            first, end = rowptr[node], rowptr[node + 1]
            going = until[first] < until[end]
            alive, first, end = alive[going], first[going], end[going]
            level = until[first] + rng.random(first.size) * (until[end] - until[first])
            at = np.minimum(np.searchsorted(until, level, side="right"), end) - 1
            node = col[at]
            nodes[alive, step] = node
        return torch.from_numpy(nodes)

    return run
