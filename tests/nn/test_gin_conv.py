import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyg_pair import assert_same, edge_lists, load, results
from torch import nn
from torch_geometric.nn import MLP
from torch_geometric.nn import GINConv as PyGGINConv

import sparsegnn as sg
from sparsegnn.testing import random_graph
from sparsegnn.testing.graphs import EdgeList

EDGES = random_graph(30, 30, 150, 1)
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(16, 5),
    "sequential": lambda: nn.Sequential(nn.Linear(16, 5), nn.ReLU(), nn.Linear(5, 3)),
    "widening": lambda: nn.Sequential(nn.Linear(16, 40, bias=False), nn.ReLU()),
    "relu first": lambda: nn.Sequential(nn.ReLU(), nn.Linear(16, 5)),
    "empty": nn.Sequential,
    "mlp": lambda: MLP([16, 8, 5]),
    "mlp, norm after": lambda: MLP([16, 8, 8, 5], act="tanh", act_first=True, norm="layer_norm"),
    "mlp, one layer": lambda: MLP([16, 5]),
    "mlp, no plain last": lambda: MLP([16, 8, 5], plain_last=False, norm=None, bias=False),
    "mlp, no activation": lambda: MLP([16, 8, 5], act=None),
}


def pair(network: nn.Module, **options: Any) -> tuple[PyGGINConv, sg.nn.GINConv]:
    theirs = PyGGINConv(network, **options)
    ours = sg.nn.GINConv(copy.deepcopy(network), **options)
    load(theirs, ours)
    return theirs, ours


@pytest.mark.parametrize("options", [{}, {"eps": 0.3}, {"eps": -1.0, "train_eps": True}], ids=str)
@pytest.mark.parametrize("network", NETWORKS)
def test_equals_pyg(network: str, options: dict[str, Any]) -> None:
    theirs, ours = pair(NETWORKS[network](), **options)
    x = torch.randn(30, 16, requires_grad=True)
    expected = results(theirs, theirs(x, EDGES.edge_index), x)
    for graph in (EDGES.edge_index, EDGES.graph()):
        assert_same(results(ours, ours(x, graph), x), expected)


@given(edge_lists(), st.sampled_from(["add", "sum", "mean", "max", "min"]), st.booleans())
@settings(max_examples=60)
def test_any_bipartite_graph_in_float64(edges: EdgeList, aggr: str, with_targets: bool) -> None:
    torch.manual_seed(len(edges.edge_index[0]))
    network = nn.Sequential(nn.Linear(16, 5), nn.Tanh(), nn.Linear(5, 3))
    theirs, ours = (conv.double() for conv in pair(network, eps=0.5, train_eps=True, aggr=aggr))
    left = torch.randn(edges.num_src, 16, dtype=torch.float64, requires_grad=True)
    right = torch.randn(edges.num_dst, 16, dtype=torch.float64, requires_grad=True)
    x = (left, right if with_targets else None)
    size = (edges.num_src, edges.num_dst)
    expected = results(theirs, theirs(x, edges.edge_index, size=size), *x)
    assert_same(results(ours, ours(x, edges.edge_index, size=size), *x), expected)


def test_training_statistics_and_dropout_of_the_network() -> None:
    """Batch norm sees the same rows in either order; dropout is ours."""
    theirs, ours = pair(MLP([16, 8, 8, 5], norm="batch_norm"))
    x = torch.randn(30, 16)
    for conv, graph in ((theirs, EDGES.edge_index), (ours, EDGES.graph())):
        torch.manual_seed(1)
        conv.result = conv(x, graph)
    torch.testing.assert_close(ours.result, theirs.result, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
    network = MLP([16, 400, 5], dropout=0.25, norm=None)
    seen: list[torch.Tensor] = []
    network.lins[1].register_forward_hook(lambda module, given, y: seen.append(given[0].detach()))
    sg.nn.GINConv(network)(torch.ones(30, 16), EDGES.graph())
    dropped = (seen[0] == 0).double().mean(0)
    live = dropped[dropped < 1]  # the others are off for every node
    assert len(live) > 100 and abs(float(live.mean()) - 0.25) < 0.03


def test_dropped_edges_are_absent() -> None:
    keep, x = torch.rand(150) > 0.4, torch.randn(30, 16)
    for aggr in ("add", "mean", "max"):
        conv = sg.nn.GINConv(nn.Linear(16, 3), aggr=aggr)
        expected = conv(x, EDGES.edge_index[:, keep])
        for mask in (keep, sg.Mask.from_bool(keep)):
            torch.testing.assert_close(conv(x, EDGES.graph(), edge_mask=mask), expected)


def test_sparse_features_equal_dense_features() -> None:
    x = torch.randn(30, 16) * (torch.rand(30, 16) < 0.2)
    sparse, graph = sg.SparseMatrix.from_dense(x), EDGES.graph()
    for width in (4, 48):
        conv = sg.nn.GINConv(nn.Sequential(nn.Linear(16, width), nn.ReLU()), eps=0.5)
        torch.testing.assert_close(conv(sparse, graph), conv(x, graph), rtol=1e-5, atol=1e-5)
    with pytest.raises(TypeError, match=r"GINConv\(aggr=max\): x must be a dense tensor where nn"):
        sg.nn.GINConv(nn.Sequential(nn.Linear(16, 4)), aggr="max")(sparse, graph)


def test_hooks_of_the_network_run() -> None:
    for place in (lambda conv: conv.nn, lambda conv: conv.nn[0]):
        theirs, ours = pair(nn.Sequential(nn.Linear(16, 5), nn.ReLU()))
        for conv in (theirs, ours):
            place(conv).register_forward_hook(lambda module, given, output: output + 1)
        x = torch.randn(30, 16)
        torch.testing.assert_close(
            ours(x, EDGES.graph()), theirs(x, EDGES.edge_index), rtol=1e-5, atol=1e-5
        )


def test_a_function_for_a_network_and_reset() -> None:
    conv = sg.nn.GINConv(torch.tanh, eps=0.5, train_eps=True)
    x = torch.randn(30, 4)
    torch.testing.assert_close(conv(x, EDGES.graph()), PyGGINConv(torch.tanh, 0.5)(x, EDGES[0]))
    with torch.no_grad():
        conv.eps.fill_(3.0)
    conv.reset_parameters()
    assert conv.eps.item() == 0.5


def test_bad_input() -> None:
    conv, graph = sg.nn.GINConv(nn.Sequential(nn.Linear(8, 4))), EDGES.graph()
    with pytest.raises(ValueError, match=r"GINConv\(\): x must have shape \[N, 8\], got \[30, 7\]"):
        conv(torch.randn(30, 7), graph)
    with pytest.raises(ValueError, match="one row per node of the graph, 30, got 29"):
        conv(torch.randn(29, 8), graph)
    with pytest.raises(ValueError, match="aggr must be one of"):
        sg.nn.GINConv(nn.Linear(8, 4), aggr="std")
