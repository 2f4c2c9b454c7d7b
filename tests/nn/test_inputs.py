"""What every layer takes for a graph, and what it remembers of it."""

import gc
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch_geometric.nn as pyg
from torch import nn
from torch_geometric import EdgeIndex

import sparsegnn as sg
from sparsegnn.nn import _graph_cache
from sparsegnn.testing import random_graph

EDGES = random_graph(30, 30, 150, 1).edge_index.unique(dim=1).contiguous()
LAYERS: dict[str, Callable[[Any], nn.Module]] = {
    "GCN": lambda library: library.GCNConv(8, 4),
    "GCN improved": lambda library: library.GCNConv(8, 4, improved=True),
    "GCN plain": lambda library: library.GCNConv(8, 4, normalize=False),
    "GAT": lambda library: library.GATConv(8, 4, heads=2),
    "GATv2": lambda library: library.GATv2Conv(8, 4, heads=2),
    "SAGE": lambda library: library.SAGEConv(8, 4),
    "SAGE max": lambda library: library.SAGEConv(8, 4, aggr="max"),
    "GIN": lambda library: library.GINConv(nn.Sequential(nn.Linear(8, 4))),
    "GraphConv": lambda library: library.GraphConv(8, 4),
    "GEN": lambda library: library.GENConv(8, 4, norm="layer", learn_t=True),
    "GEN power": lambda library: library.GENConv(8, 8, "powermean", p=2.0, norm="layer"),
}
STATIC = {"GCN", "GCN plain", "SAGE", "SAGE max", "GIN", "GraphConv"}


def pair(name: str) -> tuple[nn.Module, nn.Module]:
    theirs, ours = LAYERS[name](pyg), LAYERS[name](sg.nn)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def same(actual: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("order", [None, "row", "col"])
@pytest.mark.parametrize("name", LAYERS)
def test_edge_index_of_any_kind(name: str, order: str | None) -> None:
    theirs, ours = pair(name)
    x = torch.randn(30, 8)
    edges = EDGES if order != "col" else EDGES[:, EDGES[1].argsort(stable=True)]
    expected = theirs(x, edges)
    wrapped = EdgeIndex(edges, sparse_size=(30, 30), sort_order=order)
    for graph in (edges, edges.int(), wrapped, sg.Graph.from_edge_index(edges, 30)):
        same(ours(x, graph), expected)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("layout", [torch.sparse_csr, torch.sparse_coo, torch.sparse_csc])
@pytest.mark.parametrize("name", LAYERS)
def test_sparse_adjacencies_and_their_values(
    name: str, layout: torch.layout, weighted: bool
) -> None:
    theirs, ours = pair(name)
    x = torch.randn(30, 8)
    edges = EDGES[:, EDGES[0] != EDGES[1]]  # PyG adds loops to those of a sparse adjacency
    values = torch.rand(edges.shape[1]) + 0.5 if weighted else torch.ones(edges.shape[1])
    adjacency = torch.sparse_coo_tensor(edges.flip(0), values, (30, 30)).coalesce()
    same(
        ours(x, adjacency.to_sparse(layout=layout)),
        theirs(x, adjacency.to_sparse(layout=torch.sparse_csr)),
    )


@pytest.mark.parametrize("name", sorted(STATIC))
def test_static_graphs(name: str) -> None:
    theirs, ours = pair(name)
    x = torch.randn(3, 30, 8)
    same(ours(x, sg.Graph.from_edge_index(EDGES, 30)), theirs(x, EDGES))


@pytest.mark.parametrize("name", LAYERS)
def test_a_graph_compiles_to_one_graph(name: str) -> None:
    torch._dynamo.reset()
    _, ours = pair(name)
    graph = sg.Graph.from_edge_index(EDGES, 30)
    x = torch.randn(30, 8, requires_grad=True)
    expected = ours(x, graph)
    compiled = torch.compile(ours, fullgraph=True, backend="aot_eager")
    actual = compiled(x, graph)
    same(actual, expected)
    same(
        torch.autograd.grad(actual.square().sum(), x)[0],
        torch.autograd.grad(expected.square().sum(), x)[0],
    )


def test_an_edge_index_compiles_with_a_break() -> None:
    torch._dynamo.reset()
    _, ours = pair("SAGE")
    x = torch.randn(30, 8)
    same(torch.compile(ours, backend="aot_eager")(x, EDGES), ours(x, EDGES))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", LAYERS)
def test_low_precision_and_autocast(name: str, dtype: torch.dtype) -> None:
    _, ours = pair(name)
    x, graph = torch.randn(30, 8), sg.Graph.from_edge_index(EDGES, 30)
    expected = ours(x, graph)
    if dtype == torch.bfloat16:
        with torch.autocast("cpu", dtype):
            torch.testing.assert_close(ours(x, graph).float(), expected, rtol=0.1, atol=0.1)
    low = ours.to(dtype)(x.to(dtype), graph)
    assert low.dtype == dtype
    torch.testing.assert_close(low.float(), expected, rtol=0.1, atol=0.1)


def test_an_edge_index_is_sorted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    build = sg.Graph.from_edge_index
    monkeypatch.setattr(
        sg.Graph, "from_edge_index", staticmethod(lambda *a, **k: made.append(1) or build(*a, **k))
    )
    edges, x = EDGES.clone(), torch.randn(30, 8)
    first, second = sg.nn.SAGEConv(8, 4), sg.nn.GraphConv(8, 4)
    for _ in range(3):
        first(x, edges), second(x, edges)
    assert len(made) == 1
    first(torch.randn(31, 8), edges)
    assert len(made) == 2


@pytest.mark.parametrize("behind_the_back", [False, True])
def test_an_edge_index_changed_in_place_is_another_graph(behind_the_back: bool) -> None:
    theirs, ours = pair("SAGE")
    edges, x = EDGES.clone(), torch.randn(30, 8)
    ours(x, edges)
    if behind_the_back:
        edges.numpy()[0] = 3
    else:
        edges[0] = 3
    same(ours(x, edges), theirs(x, edges))


def test_a_graph_goes_with_its_edge_index() -> None:
    gc.collect()
    before = len(_graph_cache._entries)
    edges = EDGES.clone()
    sg.nn.SAGEConv(8, 4)(torch.randn(30, 8), edges)
    assert len(_graph_cache._entries) == before + 1
    del edges
    gc.collect()
    assert len(_graph_cache._entries) == before


def test_an_edge_index_of_inference_mode_trains_later() -> None:
    conv, x = sg.nn.SAGEConv(8, 4), torch.randn(30, 8)
    with torch.inference_mode():
        edges = EDGES.clone()
        conv(x, edges)
    conv(x, edges).sum().backward()


def test_bipartite_sizes_come_from_the_graph() -> None:
    edges = random_graph(20, 30, 90, 2)
    theirs, ours = pyg.SAGEConv((8, 5), 4), sg.nn.SAGEConv((8, 5), 4)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(30, 8)
    expected = theirs((x, None), edges.edge_index, size=(30, 20))
    wrapped = EdgeIndex(edges.edge_index, sparse_size=(30, 20))
    for graph in (edges.graph(), wrapped):
        same(ours((x, None), graph), expected)


def test_pyg_keeps_one_loop_a_node() -> None:
    edges = torch.tensor([[0, 1, 1, 2, 1, 0], [0, 1, 1, 0, 2, 1]])
    weight = torch.tensor([0.5, 3.0, 2.0, 1.0, 1.0, 4.0])
    theirs, ours = pair("GCN")
    x = torch.randn(4, 8)
    for _ in range(2):
        same(ours(x, edges, weight), theirs(x, edges, weight))
        same(ours(x, edges), theirs(x, edges))


@pytest.mark.parametrize("weighted", [False, True])
def test_gcn_without_dropped_edges(weighted: bool) -> None:
    conv, x, keep = sg.nn.GCNConv(8, 4), torch.randn(30, 8), torch.rand(EDGES.shape[1]) > 0.4
    graph = sg.Graph.from_edge_index(EDGES, 30)
    weight = torch.rand(EDGES.shape[1]) if weighted else None
    expected = conv(x, EDGES[:, keep], None if weight is None else weight[keep])
    for mask in (keep, sg.Mask.from_bool(keep)):
        same(conv(x, graph, weight, edge_mask=mask), expected)
    soft = torch.rand(EDGES.shape[1])
    product = soft if weight is None else soft * weight
    same(conv(x, graph, weight, edge_mask=soft), conv(x, graph, product))
