"""A GATv2 layer: a training step with its peak memory, in the shapes and on the inputs of `gat`."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

import sparsegnn as sg
from bench.cases import OURS, Builders, Case
from bench.graphs import POWER_LAW, PUBMED, GraphInput
from bench.inputs import EdgeList
from bench.ops import gat

PYG = "PyG GATv2Conv"
# On the power law PyG's rows per arc of one head fit beside their float64 reference.
CELLS = (*((PUBMED, shape) for shape in gat.SHAPES), (POWER_LAW, (1, 64)))


def cases(quick: bool) -> Builders:
    """Training steps; only on the small graph in a quick run."""
    return {
        gat.case_name("gatv2-train", graph.name, *shape): partial(_loaded, graph, *shape)
        for graph, shape in CELLS
        if graph is PUBMED or not quick
    }


def _loaded(graph: GraphInput, heads: int, width: int) -> Case:
    return training(graph.load(), heads, width)


def training(edges: EdgeList, heads: int, width: int) -> Case:
    """Forward and backward for a given upstream gradient."""
    layers, x = _layers(heads, width), gat.features(edges)
    graph = sg.Graph.from_edge_index(edges.edge_index, num_nodes=edges.num_nodes)
    generator = torch.Generator().manual_seed(2)
    upstream = torch.randn(edges.num_nodes, heads * width, generator=generator)
    exact = _layers(heads, width)[PYG].double()
    return Case(
        name=gat.case_name("gatv2-train", edges.name, heads, width),
        alternatives={
            OURS: partial(gat.step, layers[OURS], x, graph, upstream),
            PYG: partial(gat.step, layers[PYG], x, edges.edge_index, upstream),
        },
        params=gat.sizes(edges, heads, width),
        reference=lambda: gat.step(exact, x.double(), edges.edge_index, upstream.double()),
        tolerance=1e-4,  # gradients of the attention vectors are sums over all arcs
        memory=True,
        note=gat.NOTE,
    )


def _layers(heads: int, width: int) -> dict[str, nn.Module]:
    from torch_geometric.nn import GATv2Conv

    torch.manual_seed(0)
    theirs = GATv2Conv(gat.IN_CHANNELS, width, heads)
    ours = sg.nn.GATv2Conv(gat.IN_CHANNELS, width, heads)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.copy_(gat.on_grid(parameter, 64))
    ours.load_state_dict(theirs.state_dict())
    return {OURS: ours, PYG: theirs}
