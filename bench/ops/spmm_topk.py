"""Aggregation and the k largest entries of every row of it, forward."""

from __future__ import annotations

from functools import partial

import torch

import sparsegnn as sg
from bench.cases import OURS, Builders, Case
from bench.inputs import EdgeList
from bench.ops.spmm import features_of, graph_of
from bench.peers import aggregate

WIDTH = 256
KEPT = (8, 32)


def cases(edges: EdgeList, quick: bool) -> Builders:
    """Every k at the width of MaxK-GNN; one in a quick run."""
    kept = KEPT[1:] if quick else KEPT
    return {case_name(edges, k): partial(forward, edges, k) for k in kept}


def case_name(edges: EdgeList, k: int, width: int = WIDTH) -> str:
    """Name of one case."""
    return f"spmm-topk/{edges.name}/width={width}/k={k}"


def forward(edges: EdgeList, k: int, width: int = WIDTH) -> Case:
    """Values of the kept entries, in the order of their columns."""
    x, graph = features_of(edges, width), graph_of(edges)
    product = aggregate.torch_csr(edges, x, torch.int32)

    def parts() -> sg.SparseRows:
        return sg.ops.topk_rows(sg.ops.spmm(graph, x, edges.weight), k)

    def by_torch() -> torch.Tensor:
        y = product()
        return y.gather(1, y.topk(k, dim=1, sorted=False).indices.sort(dim=1).values)

    def exact() -> tuple[torch.Tensor]:
        y = sg.ops.spmm(graph, x, edges.weight)  # the same entries: sums differ in the last bit
        ids = y.topk(k, dim=1).indices.sort(dim=1).values
        return (sg.ops.spmm(graph, x.double(), edges.weight.double()).gather(1, ids),)

    return Case(
        name=case_name(edges, k, width),
        alternatives={
            OURS: lambda: sg.ops.spmm_topk(graph, x, k, edges.weight).values,
            f"{OURS}, spmm then topk_rows": lambda: parts().values,
            "torch.sparse CSR int32 then torch.topk": by_torch,
        },
        params={"nodes": edges.num_nodes, "arcs": edges.weight.numel(), "width": width, "k": k},
        reference=exact,
        tolerance=1e-3,  # near ties at the threshold fall either way
        memory=True,
    )
