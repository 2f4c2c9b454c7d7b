"""Weighted neighbourhood sums: forward, with bf16 features, and as a training step."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

import sparsegnn as sg
from bench.bandwidth import Traffic
from bench.cases import OURS, Case, Outputs
from bench.inputs import EdgeList
from bench.peers import aggregate, optional

WIDTHS = (16, 64, 128, 256)
PYG = "PyG gather/scatter"
# PyG's training step holds several tensors of one row per arc: 1.6 GB each at this many numbers.
PYG_TRAINING_LIMIT = 400_000_000
_PART = 1 << 13  # arcs whose float64 rows fit the last-level cache
_COLUMNS = 8  # of all messages in float64 at a time
NOTE = (
    "Arcs sorted by target, int32 or int64 CSR made beforehand for every alternative; the variant "
    "'any arc order' takes edge weights in the order of a shuffled edge index."
)


def forward(edges: EdgeList, width: int) -> Case:
    """Sum of weighted source rows in float32."""
    x = features_of(edges, width)
    graph, other = graph_of(edges), graph_of(_shuffled(edges))
    shuffled = _shuffled(edges).weight
    return Case(
        name=f"spmm/{edges.name}/width={width}",
        alternatives={
            OURS: lambda: sg.ops.spmm(graph, x, edge_weight=edges.weight),
            f"{OURS}, any arc order": lambda: sg.ops.spmm(other, x, edge_weight=shuffled),
            "torch.sparse CSR int32": aggregate.torch_csr(edges, x, torch.int32),
            "torch.sparse CSR int64": aggregate.torch_csr(edges, x, torch.int64),
            "scipy CSR (1 thread)": aggregate.scipy_csr(edges, x),
            PYG: aggregate.pyg_gather_scatter(edges, x),
            **optional.weighted_sums(edges, x),
        },
        params=_params(edges, width),
        reference=lambda: (_exact(edges, x),),
        traffic=Traffic.of_spmm(edges, width),
        note=NOTE,
    )


def half_width(edges: EdgeList, width: int) -> Case:
    """The same sum with features stored in bfloat16, beside float32 peers."""
    x = features_of(edges, width)
    stored = x.to(torch.bfloat16)
    graph = graph_of(edges)
    return Case(
        name=f"spmm-bf16/{edges.name}/width={width}",
        alternatives={
            OURS: lambda: sg.ops.spmm(graph, stored, edge_weight=edges.weight),
            f"{OURS} fp32": lambda: sg.ops.spmm(graph, x, edge_weight=edges.weight),
            "torch.sparse CSR fp32, int32": aggregate.torch_csr(edges, x, torch.int32),
            "torch.sparse CSR fp32, int64": aggregate.torch_csr(edges, x, torch.int64),
        },
        params=_params(edges, width),
        reference=lambda: (_exact(edges, x),),
        tolerances={OURS: 1e-2},
        traffic=Traffic.of_spmm(edges, width, feature_bytes=2),
        note="Ours sums in float32 and is off by the rounding of the stored features and results.",
    )


def largest(edges: EdgeList, width: int) -> Case:
    """The largest weighted message of every target, column by column, without gradients."""
    x = features_of(edges, width)
    graph = graph_of(edges)
    return Case(
        name=f"spmm-max/{edges.name}/width={width}",
        alternatives={
            OURS: lambda: sg.ops.spmm(graph, x, edge_weight=edges.weight, reduce="max"),
            "torch.sparse.mm amax int32": aggregate.torch_csr_largest(edges, x, torch.int32),
            "torch.sparse.mm amax int64": aggregate.torch_csr_largest(edges, x, torch.int64),
        },
        params=_params(edges, width),
        reference=lambda: (_exact_largest(edges, x),),
        traffic=Traffic.of_spmm(edges, width),
    )


def training(edges: EdgeList, width: int, with_pyg: bool = True) -> Case:
    """Forward, then gradients of features and edge weights for a given upstream gradient."""
    x = features_of(edges, width)
    upstream = torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
    graph, layer = graph_of(edges), aggregate.pyg_layer()

    def ours(a: Tensor, w: Tensor) -> Tensor:
        return sg.ops.spmm(graph, a, edge_weight=w)

    def pyg(a: Tensor, w: Tensor) -> Tensor:
        return layer(a, edges.edge_index, w)

    by_name = {
        OURS: ours,
        "torch.sparse composite": aggregate.torch_composite(edges, torch.int32),
        **({PYG: pyg} if with_pyg else {}),
    }
    return Case(
        name=f"spmm-train/{edges.name}/width={width}",
        alternatives={
            name: aggregate.with_gradients(call, x, edges.weight, upstream)
            for name, call in by_name.items()
        },
        params=_params(edges, width),
        reference=lambda: _exact_gradients(edges, x, upstream),
        note="The composite caches the transposed pattern and uses sampled_addmm.",
    )


@lru_cache(maxsize=4)
def graph_of(edges: EdgeList) -> sg.Graph:
    """The package's graph of the arcs, kept for the next case."""
    return sg.Graph.from_edge_index(edges.edge_index, num_nodes=edges.num_nodes)


@lru_cache(maxsize=2)
def _shuffled(edges: EdgeList) -> EdgeList:
    return edges.shuffled()


def features_of(edges: EdgeList, width: int) -> Tensor:
    """Normal numbers `[nodes, width]`, the same at every call."""
    return torch.randn(edges.num_nodes, width, generator=torch.Generator().manual_seed(1))


def _params(edges: EdgeList, width: int) -> dict[str, str | int | float | bool]:
    arcs = edges.weight.numel()
    return {"graph": edges.name, "nodes": edges.num_nodes, "arcs": arcs, "width": width}


def _exact(edges: EdgeList, x: Tensor) -> Tensor:
    return torch.from_numpy(edges.scipy(np.float64) @ x.numpy().astype(np.float64))


def _exact_largest(edges: EdgeList, x: Tensor) -> Tensor:
    """A few columns at a time: the messages of all would not fit the memory."""
    source, target = edges.edge_index
    parts = []
    for columns in x.double().split(_COLUMNS, dim=1):
        messages = edges.weight.double().unsqueeze(1) * columns[source]
        index = target.unsqueeze(1).expand_as(messages)
        zeros = torch.zeros(x.shape[0], columns.shape[1], dtype=torch.float64)
        parts.append(zeros.scatter_reduce(0, index, messages, "amax", include_self=False))
    return torch.cat(parts, dim=1)


def _exact_gradients(edges: EdgeList, x: Tensor, upstream: Tensor) -> Outputs:
    matrix = edges.scipy(np.float64)
    dx = torch.from_numpy(matrix.T.tocsr() @ upstream.numpy().astype(np.float64))
    source, target = edges.edge_index
    dweight = torch.empty(source.numel(), dtype=torch.float64)
    for part in torch.arange(source.numel()).split(_PART):
        rows = upstream[target[part]].to(torch.float64)
        dweight[part] = (rows * x[source[part]].to(torch.float64)).sum(dim=1)
    return _exact(edges, x), dx, dweight
