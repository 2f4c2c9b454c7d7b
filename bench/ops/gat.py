"""Graph attention layers: forward, and a training step with its peak memory.

The shapes are those in use: 8 heads of 8 channels is the layer of Velickovic et al. on Cora and
PubMed, 4 of 64 a hidden layer of the size used on ogbn-arxiv, and a single head of 64 the plain
layer. Each is a hidden layer that takes 64 features, what a layer of 8 x 8 hands on, and whose
features get a gradient. Wider inputs make the dense projection, which both sides share, a larger
part of the time: `in` among the parameters of a case tells.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

import sparsegnn as sg
from bench.cases import OURS, Builders, Case, Outputs
from bench.graphs import POWER_LAW, PUBMED, GraphInput
from bench.inputs import EdgeList
from bench.ops.spmm import PYG_TRAINING_LIMIT

IN_CHANNELS = 64
SHAPES = ((8, 8), (4, 64), (1, 64))  # heads, channels of a head
GRAPHS = (PUBMED, POWER_LAW)
PYG = "PyG GATConv"
NOTE = (
    "The whole layer with self loops, projection and bias. Ours takes a Graph made beforehand, PyG "
    "its edge index. The step ends with the gradients of the features and of all parameters."
)


def cases(quick: bool, full: bool) -> Builders:
    """Training steps of every shape on every graph; only on the small one in a quick run."""
    return {
        case_name("gat-train", graph.name, *shape): partial(_loaded, full, graph, *shape)
        for graph in (GRAPHS[:1] if quick else GRAPHS)
        for shape in SHAPES
    }


def _loaded(full: bool, graph: GraphInput, heads: int, width: int) -> Case:
    """PyG's rows per arc are left out where they would need minutes and most of the memory."""
    small = (graph.num_edges + graph.num_nodes) * heads * width <= PYG_TRAINING_LIMIT
    return training(graph.load(), heads, width, with_pyg=full or small)


def case_name(kind: str, graph: str, heads: int, width: int) -> str:
    """Name of one layer on one graph."""
    return f"{kind}/{graph}/{heads}x{width}"


def forward(edges: EdgeList, heads: int, width: int) -> Case:
    """The layer without gradients."""
    layers, x = _layers(heads, width), features(edges)
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
        name=case_name("gat", edges.name, heads, width),
        alternatives={
            OURS: run(layers[OURS], graph),
            PYG: run(_layers(heads, width)[PYG], edges.edge_index),
        },
        params=sizes(edges, heads, width),
        reference=exact,
        memory=True,
        note=NOTE,
    )


def training(edges: EdgeList, heads: int, width: int, with_pyg: bool = True) -> Case:
    """Forward and backward for a given upstream gradient."""
    layers, x = _layers(heads, width), features(edges)
    graph = sg.Graph.from_edge_index(edges.edge_index, num_nodes=edges.num_nodes)
    upstream = torch.randn(
        edges.num_nodes, heads * width, generator=torch.Generator().manual_seed(2)
    )
    where = {OURS: graph, **({PYG: edges.edge_index} if with_pyg else {})}
    return Case(
        name=case_name("gat-train", edges.name, heads, width),
        alternatives={
            name: partial(step, layers[name], x, place, upstream) for name, place in where.items()
        },
        params=sizes(edges, heads, width),
        reference=lambda: _exact_step(heads, width, x.double(), edges, upstream.double()),
        tolerance=1e-4,  # gradients of the attention vectors are sums over all arcs
        memory=True,
        note=NOTE,
    )


def _layers(heads: int, width: int) -> dict[str, nn.Module]:
    from torch_geometric.nn import GATConv

    torch.manual_seed(0)
    theirs, ours = GATConv(IN_CHANNELS, width, heads), sg.nn.GATConv(IN_CHANNELS, width, heads)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.copy_(on_grid(parameter, 64))
    ours.load_state_dict(theirs.state_dict())
    return {OURS: ours, PYG: theirs}


def step(layer: nn.Module, x: Tensor, graph: object, upstream: Tensor) -> Outputs:
    """Result, then the gradients of x and of the parameters in the order of their names."""
    leaf = x.detach().requires_grad_()
    named = dict(layer.named_parameters())
    y = layer(leaf, graph)
    grads = torch.autograd.grad(y, [leaf, *(named[name] for name in sorted(named))], upstream)
    return (y.detach(), *grads)


def _exact_step(heads: int, width: int, x: Tensor, edges: EdgeList, upstream: Tensor) -> Outputs:
    """PyG's step in float64, one head at a time: the rows per arc of all heads would not fit."""
    from torch_geometric.nn import GATConv

    state = _layers(heads, width)[PYG].double().state_dict()
    found = []
    for head in range(heads):
        columns = slice(head * width, (head + 1) * width)
        alone = GATConv(IN_CHANNELS, width).double()
        alone.load_state_dict(
            {
                name: value[:, head : head + 1] if name.startswith("att") else value[columns]
                for name, value in state.items()
            }
        )
        found.append(step(alone, x, edges.edge_index, upstream[:, columns]))
    y, x_grad, *grads = zip(*found, strict=True)
    dst, src, bias, weight = (torch.cat(parts, 1 if i < 2 else 0) for i, parts in enumerate(grads))
    return torch.cat(y, 1), torch.stack(x_grad).sum(0), dst, src, bias, weight


def features(edges: EdgeList) -> Tensor:
    """Inputs of the layer."""
    generator = torch.Generator().manual_seed(1)
    return on_grid(torch.randn(edges.num_nodes, IN_CHANNELS, generator=generator), 8)


def on_grid(values: Tensor, steps: int) -> Tensor:
    """Multiples of 1 / steps, few enough bits for exact scores in float32.

    Else rounding decides the sign of the few scores next to zero, and with it the slope of
    LeakyReLU there: such an edge has another derivative than in float64.
    """
    return torch.round(values * steps) / steps


def sizes(edges: EdgeList, heads: int, width: int) -> dict[str, str | int | float | bool]:
    """What identifies the input of a case."""
    arcs = edges.weight.numel()
    shape = {"heads": heads, "width": width, "in": IN_CHANNELS}
    return {"graph": edges.name, "nodes": edges.num_nodes, "arcs": arcs, **shape}
