"""Weighted neighbourhood sums: forward, and forward with gradients of features and edges."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

import sparsegnn as sg
from bench.cases import OURS, Builders, Case, Outputs
from bench.inputs import EdgeList
from bench.peers import aggregate

WIDTHS = (16, 64, 128, 256)
GATE_WIDTH = 128
NOTE = (
    "Arcs sorted by target, int32 or int64 CSR made beforehand for every alternative; the variant "
    "'any arc order' takes edge weights in the order of a shuffled edge index."
)


def cases(edges: EdgeList, quick: bool) -> Builders:
    """Forward at every width (the bar's in a quick run), training at the width of the bar."""
    builders: Builders = {
        f"spmm/width={width}": partial(forward, edges, width, with_pyg=width == GATE_WIDTH)
        for width in ((GATE_WIDTH,) if quick else WIDTHS)
    }
    builders[f"spmm-train/width={GATE_WIDTH}"] = partial(training, edges, GATE_WIDTH)
    return builders


def forward(edges: EdgeList, width: int, with_pyg: bool = True) -> Case:
    """Sum of weighted source rows."""
    x = _features(edges, width)
    graph, shuffled = _graph(edges), edges.shuffled()
    other = _graph(shuffled)
    alternatives = {
        OURS: lambda: sg.ops.spmm(graph, x, edge_weight=edges.weight),
        f"{OURS}, any arc order": lambda: sg.ops.spmm(other, x, edge_weight=shuffled.weight),
        "torch.sparse CSR int32": aggregate.torch_csr(edges, x, torch.int32),
        "torch.sparse CSR int64": aggregate.torch_csr(edges, x, torch.int64),
        "scipy CSR (1 thread)": aggregate.scipy_csr(edges, x),
    }
    if with_pyg:
        alternatives["PyG gather/scatter"] = aggregate.pyg_gather_scatter(edges, x)
    return Case(
        name=f"spmm/width={width}",
        alternatives=alternatives,
        params=_params(edges, width),
        reference=lambda: (_exact(edges, x),),
        note=NOTE,
    )


def training(edges: EdgeList, width: int) -> Case:
    """Forward, then gradients of features and edge weights for a given upstream gradient."""
    x = _features(edges, width)
    upstream = torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
    graph, layer = _graph(edges), aggregate.pyg_layer()

    def ours(a: Tensor, w: Tensor) -> Tensor:
        return sg.ops.spmm(graph, a, edge_weight=w)

    def pyg(a: Tensor, w: Tensor) -> Tensor:
        return layer(a, edges.edge_index, w)

    expert = aggregate.torch_composite(edges, torch.int32)
    by_name = {OURS: ours, "torch.sparse composite": expert, "PyG gather/scatter": pyg}
    return Case(
        name=f"spmm-train/width={width}",
        alternatives={
            name: aggregate.with_gradients(call, x, edges.weight, upstream)
            for name, call in by_name.items()
        },
        params=_params(edges, width),
        reference=lambda: _exact_gradients(edges, x, upstream),
        note="The composite caches the transposed pattern and uses sampled_addmm.",
    )


def _graph(edges: EdgeList) -> sg.Graph:
    return sg.Graph.from_edge_index(edges.edge_index, num_nodes=edges.num_nodes)


def _features(edges: EdgeList, width: int) -> Tensor:
    return torch.randn(edges.num_nodes, width, generator=torch.Generator().manual_seed(1))


def _params(edges: EdgeList, width: int) -> dict[str, str | int | float | bool]:
    arcs = edges.weight.numel()
    return {"graph": edges.name, "nodes": edges.num_nodes, "arcs": arcs, "width": width}


def _exact(edges: EdgeList, x: Tensor) -> Tensor:
    return torch.from_numpy(edges.scipy(np.float64) @ x.numpy().astype(np.float64))


def _exact_gradients(edges: EdgeList, x: Tensor, upstream: Tensor) -> Outputs:
    matrix = edges.scipy(np.float64)
    dx = torch.from_numpy(matrix.T.tocsr() @ upstream.numpy().astype(np.float64))
    source, target = edges.edge_index
    dweight = torch.empty(source.numel(), dtype=torch.float64)
    for part in torch.arange(source.numel()).split(1 << 18):
        rows = upstream[target[part]].to(torch.float64)
        dweight[part] = (rows * x[source[part]].to(torch.float64)).sum(dim=1)
    return _exact(edges, x), dx, dweight
