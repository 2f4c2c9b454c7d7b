"""Dot products along edges."""

from __future__ import annotations

import torch

import sparsegnn as sg
from bench.cases import OURS, Case
from bench.inputs import EdgeList
from bench.ops.spmm import graph_of
from bench.peers import aggregate

WIDTHS = (16, 128)
GATHER_LIMIT = 400_000_000  # numbers in each of the gathered tensors


def dots(edges: EdgeList, width: int) -> Case:
    """Dot product of the target's row of `a` with the source's row of `b`, for every arc."""
    generator = torch.Generator().manual_seed(3)
    a, b = torch.randn(2, edges.num_nodes, width, generator=generator)
    graph = graph_of(edges)
    source, target = edges.edge_index

    def exact() -> tuple[torch.Tensor]:
        parts = torch.arange(source.numel()).split(1 << 13)
        rows = [(a[target[p]].double() * b[source[p]].double()).sum(dim=1) for p in parts]
        return (torch.cat(rows),)

    alternatives = {
        OURS: lambda: sg.ops.sddmm(graph, a, b),
        "torch.sparse sampled_addmm int32": aggregate.sampled_addmm(edges, a, b, torch.int32),
        "torch.sparse sampled_addmm int64": aggregate.sampled_addmm(edges, a, b, torch.int64),
    }
    if source.numel() * width <= GATHER_LIMIT:
        alternatives["torch gather, multiply, sum"] = aggregate.gather_dot(edges, a, b)
    return Case(
        name=f"sddmm/{edges.name}/width={width}",
        alternatives=alternatives,
        params={"graph": edges.name, "arcs": source.numel(), "width": width},
        reference=exact,
    )
