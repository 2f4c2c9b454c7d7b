"""GENConv's aggregation: softmax over the messages of every target and channel, forward and back.

The peers are PyG's own modules (gather, message, `SoftmaxAggregation`), and what an expert writes
with `torch.sparse`: exponentials once per source, relative to the largest of the whole column, and
two products. The latter gives 0 / 0 for a target whose messages lie far below that of another one;
features of a normalised layer do not.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

import sparsegnn as sg
from bench.cases import OURS, Builders, Case, Outputs
from bench.graphs import DBLP, POWER_LAW, PUBMED, GraphInput
from bench.inputs import EdgeList
from bench.ops.spmm import PYG_TRAINING_LIMIT
from bench.peers.aggregate import to_torch_csr

GRAPHS = (PUBMED, DBLP, POWER_LAW)
WIDTHS = (64, 128)
PYG = "PyG SoftmaxAggregation"
COMPOSITE = "torch.sparse composite"
EPS = 1e-7
_COLUMNS = 4  # of all messages in float64 at a time
NOTE = (
    "Result and gradients of the features and of a learnable temperature for a given upstream "
    "gradient. Ours takes a Graph made beforehand, PyG its edge index, the composite a CSR matrix."
)
Forward = Callable[[Tensor, Tensor], Tensor]


def cases(quick: bool, full: bool) -> Builders:
    """Training steps on every graph; only on the small one in a quick run."""
    return {
        f"softmax-aggregate-train/{graph.name}/{width}": partial(_loaded, full, graph, width)
        for graph in (GRAPHS[:1] if quick else GRAPHS)
        for width in WIDTHS
    }


def _loaded(full: bool, graph: GraphInput, width: int) -> Case:
    """PyG's rows per arc are left out where they would need most of the memory."""
    small = graph.num_edges * width <= PYG_TRAINING_LIMIT
    return training(graph.load(), width, with_pyg=full or small)


def training(edges: EdgeList, width: int, with_pyg: bool = True) -> Case:
    """Forward and backward for a given upstream gradient."""
    generator = torch.Generator().manual_seed(1)
    x = torch.round(torch.randn(edges.num_nodes, width, generator=generator) * 8) / 8
    upstream = torch.randn(edges.num_nodes, width, generator=generator)
    graph = sg.Graph.from_edge_index(edges.edge_index, num_nodes=edges.num_nodes)
    forwards: dict[str, Forward] = {
        OURS: lambda x, t: sg.ops.softmax_aggregate(graph, x, t, eps=EPS),
        COMPOSITE: _composite(edges),
    }
    if with_pyg:
        forwards[PYG] = _pyg(edges)
    return Case(
        name=f"softmax-aggregate-train/{edges.name}/{width}",
        alternatives={
            name: partial(_step, forward, x, upstream) for name, forward in forwards.items()
        },
        params={
            "graph": edges.name,
            "nodes": edges.num_nodes,
            "arcs": edges.weight.numel(),
            "width": width,
        },
        reference=lambda: _exact_step(edges, x, upstream),
        tolerance=1e-4,  # the gradient of the temperature is a sum over all arcs
        memory=True,
        note=NOTE,
    )


def _step(forward: Forward, x: Tensor, upstream: Tensor) -> Outputs:
    leaves = x.detach().requires_grad_(), torch.ones(1, dtype=x.dtype).requires_grad_()
    y = forward(*leaves)
    return (y.detach(), *torch.autograd.grad(y, leaves, upstream))


def _pyg(edges: EdgeList) -> Forward:
    """What GENConv of PyG does between its features and its MLP."""
    from torch_geometric.nn.aggr import SoftmaxAggregation

    module: Any = SoftmaxAggregation()
    source, target = edges.edge_index

    def forward(x: Tensor, t: Tensor) -> Tensor:
        module.t = t
        messages = x.index_select(0, source).relu() + EPS
        result: Tensor = module(messages, target, dim_size=edges.num_nodes, dim=0)
        return result

    return forward


def _composite(edges: EdgeList) -> Forward:
    ones = edges.scipy()
    ones.data[:] = 1.0
    matrix = to_torch_csr(ones, torch.int64)

    def forward(x: Tensor, t: Tensor) -> Tensor:
        message = x.relu() + EPS
        exponent = message * t
        weight = (exponent - exponent.detach().amax(dim=0)).exp()
        total = matrix @ weight
        return (matrix @ (weight * message)) / torch.where(total > 0, total, 1.0)

    return forward


def _exact_step(edges: EdgeList, x: Tensor, upstream: Tensor) -> Outputs:
    """The step in float64, few columns at a time: all rows per arc would not fit."""
    source, target = edges.edge_index

    def forward(x: Tensor, t: Tensor) -> Tensor:
        message = x[source].relu() + EPS
        weight = (message * t).exp()  # features are small
        shape = (edges.num_nodes, x.shape[1])
        total = torch.zeros(shape, dtype=x.dtype).index_add(0, target, weight)
        sums = torch.zeros(shape, dtype=x.dtype).index_add(0, target, weight * message)
        return sums / torch.where(total > 0, total, 1.0)

    parts = [
        _step(forward, *(part[:, first : first + _COLUMNS].double() for part in (x, upstream)))
        for first in range(0, x.shape[1], _COLUMNS)
    ]
    y, dx, dt = zip(*parts, strict=True)
    return torch.cat(y, 1), torch.cat(dx, 1), torch.stack(dt).sum(0)
