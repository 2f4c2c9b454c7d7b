from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyg_pair import assert_same, edge_lists, load, results
from torch_geometric.nn import GraphConv as PyGGraphConv
from torch_geometric.nn import SAGEConv as PyGSAGEConv

import sparsegnn as sg
from sparsegnn.testing import random_graph
from sparsegnn.testing.graphs import EdgeList

AGGREGATIONS = ["mean", "max", "min", "sum", "add"]
EDGES = random_graph(30, 30, 150, 1)
OPTIONS = [
    {}, {"normalize": True}, {"root_weight": False}, {"project": True}, {"bias": False},
    {"normalize": True, "root_weight": False, "project": True, "bias": False},
]  # fmt: skip


def sage(*arguments: Any, **options: Any) -> tuple[PyGSAGEConv, sg.nn.SAGEConv]:
    theirs, ours = PyGSAGEConv(*arguments, **options), sg.nn.SAGEConv(*arguments, **options)
    load(theirs, ours)
    return theirs, ours


@pytest.mark.parametrize("out_channels", [3, 40])
@pytest.mark.parametrize("aggr", AGGREGATIONS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_sage_equals_pyg(options: dict[str, Any], aggr: str, out_channels: int) -> None:
    theirs, ours = sage(16, out_channels, aggr=aggr, **options)
    x = torch.randn(30, 16, requires_grad=True)
    expected = results(theirs, theirs(x, EDGES.edge_index), x)
    for graph in (EDGES.edge_index, EDGES.graph()):
        assert_same(results(ours, ours(x, graph), x), expected)


@given(edge_lists(), st.sampled_from(AGGREGATIONS), st.sampled_from(OPTIONS), st.booleans())
@settings(max_examples=60)
def test_sage_on_any_bipartite_graph_in_float64(
    edges: EdgeList, aggr: str, options: dict[str, bool], with_targets: bool
) -> None:
    torch.manual_seed(len(edges.edge_index[0]))
    theirs, ours = sage((6, 4), 3, aggr=aggr, **options)
    theirs, ours = theirs.double(), ours.double()
    left = torch.randn(edges.num_src, 6, dtype=torch.float64, requires_grad=True)
    right = torch.randn(edges.num_dst, 4, dtype=torch.float64, requires_grad=True)
    x = (left, right if with_targets else None)
    size = (edges.num_src, edges.num_dst)
    expected = results(theirs, theirs(x, edges.edge_index, size=size), *x)
    assert_same(results(ours, ours(x, edges.edge_index, size=size), *x), expected)
    assert_same(results(ours, ours(x, edges.graph()), *x), expected)


@given(edge_lists(), st.sampled_from(AGGREGATIONS), st.booleans(), st.booleans())
@settings(max_examples=60)
def test_graph_conv_on_any_bipartite_graph_in_float64(
    edges: EdgeList, aggr: str, weighted: bool, with_targets: bool
) -> None:
    torch.manual_seed(len(edges.edge_index[0]))
    theirs = PyGGraphConv((6, 4), 3, aggr=aggr).double()
    ours = sg.nn.GraphConv((6, 4), 3, aggr=aggr).double()
    load(theirs, ours)
    left = torch.randn(edges.num_src, 6, dtype=torch.float64, requires_grad=True)
    right = torch.randn(edges.num_dst, 4, dtype=torch.float64, requires_grad=True)
    count = edges.edge_index.shape[1]
    weight = torch.randn(count, dtype=torch.float64, requires_grad=True) if weighted else None
    x = (left, right if with_targets else None)
    size = (edges.num_src, edges.num_dst)
    expected = results(theirs, theirs(x, edges.edge_index, weight, size), *x, weight)
    assert_same(results(ours, ours(x, edges.edge_index, weight, size), *x, weight), expected)


@pytest.mark.parametrize("aggr", ["add", "mean", "max"])
@pytest.mark.parametrize("out_channels", [3, 40])
def test_graph_conv_equals_pyg(aggr: str, out_channels: int) -> None:
    theirs = PyGGraphConv(16, out_channels, aggr=aggr)
    ours = sg.nn.GraphConv(16, out_channels, aggr=aggr)
    load(theirs, ours)
    x = torch.randn(30, 16, requires_grad=True)
    weight = torch.rand(150, requires_grad=True)
    expected = results(theirs, theirs(x, EDGES.edge_index, weight), x, weight)
    for graph in (EDGES.edge_index, EDGES.graph()):
        assert_same(results(ours, ours(x, graph, weight), x, weight), expected)


@pytest.mark.parametrize("aggr", AGGREGATIONS)
def test_dropped_edges_are_absent(aggr: str) -> None:
    keep = torch.rand(150) > 0.4
    x = torch.randn(30, 16)
    x[0] = float("nan")
    keep &= EDGES.edge_index[0] != 0
    for conv in (
        sg.nn.SAGEConv(16, 3, aggr=aggr, root_weight=False),
        sg.nn.GraphConv(16, 3, aggr=aggr),
    ):
        expected = conv((x, x.nan_to_num()), EDGES.edge_index[:, keep])
        for mask in (keep, sg.Mask.from_bool(keep)):
            actual = conv((x, x.nan_to_num()), EDGES.graph(), edge_mask=mask)
            torch.testing.assert_close(actual, expected)
        assert expected.isfinite().all()
    pruned = EDGES.graph().select(keep)
    torch.testing.assert_close(conv((x, x.nan_to_num()), pruned), expected)


@pytest.mark.parametrize("project", [False, True])
def test_sparse_features_equal_dense_features(project: bool) -> None:
    x = torch.randn(30, 16) * (torch.rand(30, 16) < 0.2)
    sparse = sg.SparseMatrix.from_dense(x)
    for out_channels in (3, 48):
        conv = sg.nn.SAGEConv(16, out_channels, project=project)
        torch.testing.assert_close(conv(sparse, EDGES.graph()), conv(x, EDGES.graph()))


def test_a_hook_on_a_linear_map_runs() -> None:
    """Projection before aggregation would pass it by."""
    theirs, ours = sage(16, 3)
    x = torch.randn(30, 16)
    for conv in (theirs, ours):
        conv.lin_l.register_forward_hook(lambda module, given, output: output.tanh())
    torch.testing.assert_close(
        ours(x, EDGES.graph()), theirs(x, EDGES.edge_index), rtol=1e-5, atol=1e-5
    )
    with pytest.raises(TypeError, match="x must be a dense tensor"):
        ours(sg.SparseMatrix.from_dense(x), EDGES.graph())


class Doubled(torch.nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return 2 * weight


def test_a_parametrized_linear_map() -> None:
    theirs, ours = sage(16, 3)
    x = torch.randn(30, 16)
    for conv in (theirs, ours):
        torch.nn.utils.parametrize.register_parametrization(conv.lin_l, "weight", Doubled())
    expected = theirs(x, EDGES.edge_index)
    for features in (x, sg.SparseMatrix.from_dense(x)):
        torch.testing.assert_close(ours(features, EDGES.graph()), expected, rtol=1e-5, atol=1e-5)


def test_the_start_is_that_of_linear_layers() -> None:
    conv = sg.nn.SAGEConv(64, 50)
    for lin in (conv.lin_l, conv.lin_r):
        assert lin is not None
        assert 0.9 / 8 < float(lin.weight.detach().abs().max()) <= 1 / 8
    before = conv.lin_l.weight.detach().clone()
    conv.reset_parameters()
    assert not torch.equal(conv.lin_l.weight, before)


@pytest.mark.parametrize("kind", [sg.nn.SAGEConv, sg.nn.GraphConv])
def test_bad_input(kind: type[torch.nn.Module]) -> None:
    conv, graph = kind(8, 4), EDGES.graph()
    name = rf"{kind.__name__}\(8, 4.*\): "
    with pytest.raises(ValueError, match=name + r"x must have shape \[N, 8\], got \[30, 7\]"):
        conv(torch.randn(30, 7), graph)
    with pytest.raises(ValueError, match=name + "x must have one row per node of the graph, 30"):
        conv(torch.randn(29, 8), graph)
    with pytest.raises(ValueError, match=r"size must fit x, \(30, 30\), got \(30, 20\)"):
        conv(torch.randn(30, 8), EDGES.edge_index, size=(30, 20))
    with pytest.raises(TypeError, match="x must be a tensor or a SparseMatrix, got list"):
        conv(([1.0], None), graph)
    with pytest.raises(TypeError, match=r"edge_index must be a Graph, .* got str"):
        conv(torch.randn(30, 8), "graph")
    with pytest.raises(ValueError, match=name + r"edge_mask must have shape \[150\], got \[3\]"):
        conv(torch.randn(30, 8), graph, edge_mask=torch.ones(3, dtype=torch.bool))
    with pytest.raises(ValueError, match="must be positive"):
        kind(0, 4)
    with pytest.raises(ValueError, match=r"aggr must be one of 'add', .* got 'lstm'"):
        kind(8, 4, aggr="lstm")
