"""A graph attention layer: forward, and a training step with its peak memory."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

import sparsegnn as sg
from bench.cases import OURS, Case, Outputs
from bench.inputs import EdgeList

IN_CHANNELS = 64
SHAPES = ((1, 64), (4, 16), (8, 8))  # heads, channels of a head
PYG = "PyG GATConv"
NOTE = (
    "The whole layer with self loops, projection and bias. Ours takes a Graph made beforehand, PyG "
    "its edge index. The step ends with the gradients of the features and of all parameters."
)


def forward(edges: EdgeList, heads: int, width: int) -> Case:
    """The layer without gradients."""
    layers, x = _layers(heads, width), _features(edges)
    graph = sg.Graph.from_edge_index(edges.edge_index, num_nodes=edges.num_nodes)

    def run(layer: nn.Module, where: object) -> Callable[[], Tensor]:
        @torch.no_grad()
        def call() -> Tensor:
            result: Tensor = layer(x, where)
            return result

        return call

    @torch.no_grad()
    def exact() -> Outputs:
        return (layers[PYG].double()(x.double(), edges.edge_index),)

    return Case(
        name=f"gat/{edges.name}/heads={heads}/width={width}",
        alternatives={
            OURS: run(layers[OURS], graph),
            PYG: run(_layers(heads, width)[PYG], edges.edge_index),
        },
        params=_params(edges, heads, width),
        reference=exact,
        memory=True,
        note=NOTE,
    )


def training(edges: EdgeList, heads: int, width: int) -> Case:
    """Forward and backward for a given upstream gradient."""
    layers, x = _layers(heads, width), _features(edges)
    graph = sg.Graph.from_edge_index(edges.edge_index, num_nodes=edges.num_nodes)
    upstream = torch.randn(
        edges.num_nodes, heads * width, generator=torch.Generator().manual_seed(2)
    )
    exact_layer = _layers(heads, width)[PYG].double()
    return Case(
        name=f"gat-train/{edges.name}/heads={heads}/width={width}",
        alternatives={
            OURS: lambda: _step(layers[OURS], x, graph, upstream),
            PYG: lambda: _step(layers[PYG], x, edges.edge_index, upstream),
        },
        params=_params(edges, heads, width),
        reference=lambda: _step(exact_layer, x.double(), edges.edge_index, upstream.double()),
        tolerance=1e-4,  # gradients of the attention vectors are sums over all arcs
        memory=True,
        note=NOTE,
    )


def _layers(heads: int, width: int) -> dict[str, nn.Module]:
    from torch_geometric.nn import GATConv

    torch.manual_seed(0)
    theirs, ours = GATConv(IN_CHANNELS, width, heads), sg.nn.GATConv(IN_CHANNELS, width, heads)
    ours.load_state_dict(theirs.state_dict())
    return {OURS: ours, PYG: theirs}


def _step(layer: nn.Module, x: Tensor, graph: object, upstream: Tensor) -> Outputs:
    leaf = x.detach().requires_grad_()
    named = dict(layer.named_parameters())
    y = layer(leaf, graph)
    grads = torch.autograd.grad(y, [leaf, *(named[name] for name in sorted(named))], upstream)
    return (y.detach(), *grads)


def _features(edges: EdgeList) -> Tensor:
    return torch.randn(edges.num_nodes, IN_CHANNELS, generator=torch.Generator().manual_seed(1))


def _params(edges: EdgeList, heads: int, width: int) -> dict[str, str | int | float | bool]:
    arcs = edges.weight.numel()
    sizes = {"heads": heads, "width": width, "in": IN_CHANNELS}
    return {"graph": edges.name, "nodes": edges.num_nodes, "arcs": arcs, **sizes}
