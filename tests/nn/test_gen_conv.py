from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyg_pair import assert_same, edge_lists, load, results
from torch import nn
from torch_geometric.nn import DeepGCNLayer
from torch_geometric.nn import GENConv as PyGGENConv

import sparsegnn as sg
from sparsegnn.testing import random_graph
from sparsegnn.testing.graphs import EdgeList

EDGES = random_graph(30, 30, 150, 1)
AGGREGATIONS: list[dict[str, Any]] = [
    {"aggr": "softmax"},
    {"aggr": "softmax", "t": 0.1},
    {"aggr": "softmax", "t": 2.0, "learn_t": True},
    {"aggr": "softmax", "aggr_kwargs": {"t": 0.5, "learn": True, "channels": 8}},
    {"aggr": "softmax_sg", "t": 0.5},
    {"aggr": "powermean"},
    {"aggr": "power", "p": 2.0},
    {"aggr": "powermean", "p": 1.5, "learn_p": True},
    {"aggr": "powermean", "aggr_kwargs": {"p": 2.0, "clamp_min": 1e-3, "clamp_max": None}},
    *({"aggr": aggr} for aggr in ("add", "sum", "mean", "max", "min")),
]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"norm": "layer", "num_layers": 3, "expansion": 4, "bias": True},
    {"norm": "instance", "msg_norm": True},
    {"norm": None, "num_layers": 1, "msg_norm": True, "learn_msg_scale": True},
    {"edge_dim": 5, "norm": "layer", "bias": True},
    {"edge_dim": 8, "norm": "layer", "eps": 1e-3},
]


def pair(*arguments: Any, **options: Any) -> tuple[PyGGENConv, sg.nn.GENConv]:
    theirs, ours = PyGGENConv(*arguments, **options), sg.nn.GENConv(*arguments, **options)
    load(theirs, ours)
    return theirs, ours


@pytest.mark.parametrize("in_channels", [8, 6])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("aggr", AGGREGATIONS, ids=str)
def test_equals_pyg(aggr: dict[str, Any], options: dict[str, Any], in_channels: int) -> None:
    theirs, ours = pair(in_channels, 8, **aggr, **options)
    x = torch.randn(30, in_channels, requires_grad=True)
    attr = None
    if "edge_dim" in options:
        attr = torch.randn(150, options["edge_dim"], requires_grad=True)
    expected = results(theirs, theirs(x, EDGES.edge_index, attr), x, attr)
    for graph in (EDGES.edge_index, EDGES.graph()):
        actual = results(ours, ours(x, graph, attr), x, attr)
        for name, value in expected.items():
            torch.testing.assert_close(actual[name], value, rtol=1e-4, atol=2e-5, msg=name)


@given(
    edge_lists(), st.sampled_from(AGGREGATIONS), st.sampled_from(OPTIONS[1:]), st.booleans(),
    st.booleans(),
)  # fmt: skip
@settings(max_examples=100)
def test_any_bipartite_graph_in_float64(
    edges: EdgeList,
    aggr: dict[str, Any],
    options: dict[str, Any],
    with_targets: bool,
    with_edges: bool,
) -> None:
    count = edges.edge_index.shape[1]
    torch.manual_seed(count)
    options = options | {"norm": "layer"}
    theirs, ours = (conv.double() for conv in pair((6, 4), 8, **aggr, **options))
    left = torch.randn(edges.num_src, 6, dtype=torch.float64, requires_grad=True)
    right = torch.randn(edges.num_dst, 4, dtype=torch.float64, requires_grad=True)
    attr = None
    if with_edges:
        width = options.get("edge_dim", 8)
        attr = torch.randn(count, width, dtype=torch.float64, requires_grad=True)
    x = (left, right if with_targets else None)
    if not with_targets and "msg_norm" in options:
        return  # PyG takes the sources' features there, and fails unless there are as many
    size = (edges.num_src, edges.num_dst)
    expected = results(theirs, theirs(x, edges.edge_index, attr, size), *x, attr)
    assert_same(results(ours, ours(x, edges.edge_index, attr, size), *x, attr), expected)


@pytest.mark.parametrize("attributes", [False, True])
@pytest.mark.parametrize("aggr", AGGREGATIONS, ids=str)
def test_dropped_edges_are_absent(aggr: dict[str, Any], attributes: bool) -> None:
    conv = sg.nn.GENConv(8, 8, norm="layer", **aggr)
    keep, x = torch.rand(150) > 0.4, torch.randn(30, 8)
    attr = torch.randn(150, 8) if attributes else None
    expected = conv(x, EDGES.edge_index[:, keep], None if attr is None else attr[keep])
    for mask in (keep, sg.Mask.from_bool(keep)):
        actual = conv(x, EDGES.graph(), attr, edge_mask=mask)
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("ckpt_grad", [False, True])
@pytest.mark.parametrize("block", ["res+", "res", "dense", "plain"])
def test_inside_pygs_deep_layers(block: str, ckpt_grad: bool) -> None:
    """The 28-layer ResGCN is made of these."""

    def layer(conv: nn.Module) -> DeepGCNLayer:
        norm = nn.LayerNorm(8)
        return DeepGCNLayer(conv, norm, nn.ReLU(), block=block, ckpt_grad=ckpt_grad)

    theirs = layer(PyGGENConv(8, 8, t=0.1, learn_t=True, norm="layer"))
    ours = layer(sg.nn.GENConv(8, 8, t=0.1, learn_t=True, norm="layer"))
    load(theirs, ours)
    x = torch.randn(30, 8, requires_grad=True)
    grads = []
    for model, graph in ((theirs, EDGES.edge_index), (ours, EDGES.graph())):
        y = model(x, graph)
        y.square().sum().backward()
        grads.append({"y": y.detach()} | {n: p.grad for n, p in model.named_parameters()})
    for name, expected in grads[0].items():
        torch.testing.assert_close(grads[1][name], expected, rtol=1e-4, atol=1e-4)


def test_sparse_features() -> None:
    x = torch.randn(30, 16) * (torch.rand(30, 16) < 0.2)
    conv = sg.nn.GENConv(16, 8, norm="layer")
    sparse = sg.SparseMatrix.from_dense(x)
    torch.testing.assert_close(conv(sparse, EDGES.graph()), conv(x, EDGES.graph()))
    with pytest.raises(TypeError, match="x must be a dense tensor where it is not mapped"):
        sg.nn.GENConv(16, 16)(sparse, EDGES.graph())


def test_reset() -> None:
    conv = sg.nn.GENConv(8, 8, t=0.5, learn_t=True, msg_norm=True, learn_msg_scale=True)
    with torch.no_grad():
        for parameter in conv.parameters():
            parameter.fill_(7.0)
    conv.reset_parameters()
    state = conv.state_dict()
    assert state["aggr_module.t"] == 0.5 and state["msg_norm.scale"] == 1.0
    assert 0.0 < state["mlp.0.weight"].abs().max() <= 8**-0.5


def test_bad_input() -> None:
    conv, graph = sg.nn.GENConv(8, 4), EDGES.graph()
    name = r"GENConv\(8, 4, aggr=softmax\): "
    with pytest.raises(ValueError, match=name + r"x must have shape \[N, 8\], got \[30, 7\]"):
        conv(torch.randn(30, 7), graph)
    with pytest.raises(ValueError, match=name + r"x must have shape \[N, in_channels\]"):
        conv(torch.randn(2, 30, 8), graph)
    with pytest.raises(ValueError, match="one row per node of the graph, 30, got 29"):
        conv(torch.randn(29, 8), graph)
    with pytest.raises(ValueError, match=name + r"edge_attr must have shape \[150, 4\], got"):
        conv(torch.randn(30, 8), graph, torch.randn(150, 3))
    with pytest.raises(ValueError, match="aggr must be one of"):
        sg.nn.GENConv(8, 4, aggr="median")
    with pytest.raises(ValueError, match="norm must be 'batch'"):
        sg.nn.GENConv(8, 4, norm="pair")
    with pytest.raises(ValueError, match="must be positive"):
        sg.nn.GENConv(8, 4, num_layers=0)
    with pytest.raises(ValueError, match="semi_grad must be False where t is learned"):
        sg.nn.GENConv(8, 4, aggr="softmax_sg", learn_t=True)
    with pytest.raises(ValueError, match="channels must be 1 unless t is learned, got 4"):
        sg.nn.GENConv(8, 4, aggr_kwargs={"channels": 4})
