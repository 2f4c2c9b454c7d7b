"""Aggregation of top-k rows: forward, and forward with gradients."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

import sparsegnn as sg
from bench.cases import OURS, Builders, Case, Outputs
from bench.inputs import EdgeList
from bench.ops.spmm import graph_of
from bench.peers import aggregate

WIDTH = 256
KEPT = (8, 16, 32, 64)


def cases(edges: EdgeList, quick: bool) -> Builders:
    """Every k at the width of MaxK-GNN; one in a quick run."""
    kept = KEPT[2:3] if quick else KEPT
    forward_cases = {case_name("spmm-rows", edges, k): partial(forward, edges, k) for k in kept}
    return forward_cases | {
        case_name("spmm-rows-train", edges, k): partial(training, edges, k) for k in kept
    }


def case_name(kind: str, edges: EdgeList, k: int, width: int = WIDTH) -> str:
    """Name of one case."""
    return f"{kind}/{edges.name}/width={width}/k={k}"


def forward(edges: EdgeList, k: int, width: int = WIDTH) -> Case:
    """Sum of weighted source rows with k entries each."""
    rows, graph = _rows(edges, k, width), graph_of(edges)
    dense = rows.to_dense()
    return Case(
        name=case_name("spmm-rows", edges, k, width),
        alternatives={
            OURS: lambda: sg.ops.spmm(graph, rows, edges.weight),
            f"{OURS}, dense rows": lambda: sg.ops.spmm(graph, dense, edges.weight),
            "torch.sparse CSR int32, dense rows": aggregate.torch_csr(edges, dense, torch.int32),
        },
        params=_params(edges, k, width),
        reference=lambda: (_exact(edges, dense),),
    )


def training(edges: EdgeList, k: int, width: int = WIDTH) -> Case:
    """Forward, then gradients of the kept entries and of the edge weights."""
    rows, graph = _rows(edges, k, width), graph_of(edges)
    upstream = torch.randn(rows.shape, generator=torch.Generator().manual_seed(2))
    values = rows.values.clone().requires_grad_()
    weight = edges.weight.clone().requires_grad_()
    kept = sg.SparseRows(values, rows.ids, width)

    def step(dense: bool) -> Outputs:
        y = sg.ops.spmm(graph, kept.to_dense() if dense else kept, weight)
        return y.detach(), *torch.autograd.grad(y, (values, weight), upstream)

    return Case(
        name=case_name("spmm-rows-train", edges, k, width),
        alternatives={OURS: lambda: step(False), f"{OURS}, dense rows": lambda: step(True)},
        params=_params(edges, k, width),
        reference=lambda: _exact_gradients(edges, rows, upstream),
    )


def _rows(edges: EdgeList, k: int, width: int) -> sg.SparseRows:
    generator = torch.Generator().manual_seed(9)
    return sg.ops.topk_rows(torch.randn(edges.num_nodes, width, generator=generator), k)


def _params(edges: EdgeList, k: int, width: int) -> dict[str, str | int | float | bool]:
    arcs = edges.weight.numel()
    return {"graph": edges.name, "nodes": edges.num_nodes, "arcs": arcs, "width": width, "k": k}


def _exact(edges: EdgeList, x: Tensor) -> Tensor:
    return torch.from_numpy(edges.scipy(np.float64) @ x.numpy().astype(np.float64))


def _exact_gradients(edges: EdgeList, rows: sg.SparseRows, upstream: Tensor) -> Outputs:
    dense = rows.to_dense()
    matrix = edges.scipy(np.float64)
    dx = torch.from_numpy(matrix.T.tocsr() @ upstream.numpy().astype(np.float64))
    source, target = edges.edge_index
    parts = torch.arange(source.numel()).split(1 << 16)
    dots = [(upstream[target[p]].double() * dense[source[p]]).sum(dim=1) for p in parts]
    return _exact(edges, dense), dx.gather(1, rows.ids.long()), torch.cat(dots)
