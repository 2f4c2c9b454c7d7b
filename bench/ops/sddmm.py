"""Dot products along edges."""

from __future__ import annotations

from functools import partial

import torch

import sparsegnn as sg
from bench.cases import OURS, Builders, Case
from bench.inputs import EdgeList
from bench.peers import aggregate

WIDTHS = (16, 128)


def cases(edges: EdgeList, quick: bool) -> Builders:
    """Narrow and wide rows; only the wide ones in a quick run."""
    widths = WIDTHS[1:] if quick else WIDTHS
    return {f"sddmm/width={width}": partial(dots, edges, width) for width in widths}


def dots(edges: EdgeList, width: int) -> Case:
    """Dot product of the target's row of `a` with the source's row of `b`, for every arc."""
    generator = torch.Generator().manual_seed(3)
    a, b = torch.randn(2, edges.num_nodes, width, generator=generator)
    graph = sg.Graph.from_edge_index(edges.edge_index, num_nodes=edges.num_nodes)
    source, target = edges.edge_index

    def exact() -> tuple[torch.Tensor]:
        parts = torch.arange(source.numel()).split(1 << 18)
        rows = [(a[target[p]].double() * b[source[p]].double()).sum(dim=1) for p in parts]
        return (torch.cat(rows),)

    return Case(
        name=f"sddmm/width={width}",
        alternatives={
            OURS: lambda: sg.ops.sddmm(graph, a, b),
            "torch.sparse sampled_addmm int32": aggregate.sampled_addmm(edges, a, b, torch.int32),
            "torch.sparse sampled_addmm int64": aggregate.sampled_addmm(edges, a, b, torch.int64),
            "torch gather, multiply, sum": aggregate.gather_dot(edges, a, b),
        },
        params={"graph": edges.name, "arcs": source.numel(), "width": width},
        reference=exact,
    )
