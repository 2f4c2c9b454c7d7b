"""Max aggregation as a training step: forward, then the gradients along the winning edges."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

import sparsegnn as sg
from bench.cases import OURS, Builders, Case, Outputs
from bench.graphs import PUBMED, WEB, GraphInput
from bench.inputs import EdgeList
from bench.ops.spmm import features_of, graph_of
from bench.peers import aggregate

WIDTHS = (16, 64)
_COLUMNS = 8  # of all messages in float64 at a time
_NODES_FOR_TORCH = 50_000  # the backward of torch.sparse.mm makes a dense matrix [N, N]


def cases(quick: bool) -> Builders:
    """Two graphs at two widths; one of each in a quick run."""
    graphs, widths = ((PUBMED,), WIDTHS[:1]) if quick else ((PUBMED, WEB), WIDTHS)
    return {
        case_name(graph.name, width): partial(_loaded, graph, width)
        for graph in graphs
        for width in widths
    }


def case_name(graph: str, width: int) -> str:
    """Name of one step."""
    return f"spmm-max-train/{graph}/width={width}"


def _loaded(graph: GraphInput, width: int) -> Case:
    return training(graph.load(), width)


def training(edges: EdgeList, width: int) -> Case:
    """Gradients of features and edge weights for a given upstream gradient."""
    x = features_of(edges, width)
    upstream = torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
    graph = graph_of(edges)

    def ours(a: Tensor, w: Tensor) -> Tensor:
        return sg.ops.spmm(graph, a, edge_weight=w, reduce="max")

    by_name = {OURS: ours, "PyG gather/scatter": aggregate.gather_scatter_largest(edges)}
    if edges.num_nodes <= _NODES_FOR_TORCH:
        by_name["torch.sparse.mm amax"] = aggregate.torch_largest(edges, torch.int64)
    return Case(
        name=case_name(edges.name, width),
        alternatives={
            name: aggregate.with_gradients(call, x, edges.weight, upstream)
            for name, call in by_name.items()
        },
        params={
            "graph": edges.name,
            "nodes": edges.num_nodes,
            "arcs": edges.weight.numel(),
            "width": width,
        },
        reference=lambda: _exact(edges, x, upstream),
        memory=True,
        note="No messages of a target tie, so that every gradient flows along one edge. The "
        "backward of torch.sparse.mm makes a dense matrix [N, N]: it is left out on large graphs.",
    )


def _exact(edges: EdgeList, x: Tensor, upstream: Tensor) -> Outputs:
    """A few columns at a time: the messages of all would not fit the memory."""
    source, target = edges.edge_index
    weight = edges.weight.double().requires_grad_()
    found: list[Outputs] = []
    for columns, grad in zip(x.split(_COLUMNS, 1), upstream.split(_COLUMNS, 1), strict=True):
        leaf = columns.double().requires_grad_()
        messages = weight.unsqueeze(1) * leaf[source]
        index = target.unsqueeze(1).expand_as(messages)
        zeros = torch.zeros(leaf.shape, dtype=torch.float64)
        y = zeros.scatter_reduce(0, index, messages, "amax", include_self=False)
        found.append((y.detach(), *torch.autograd.grad(y, (leaf, weight), grad.double())))
    y_parts, dx_parts, dweights = zip(*found, strict=True)
    return torch.cat(y_parts, 1), torch.cat(dx_parts, 1), torch.stack(dweights).sum(0)
