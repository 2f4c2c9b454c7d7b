"""Models of PyG whose layers apply the ReLU and dropout that follow them."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch_geometric.nn as pyg
from torch import Tensor, nn

import sparsegnn as sg
from sparsegnn.nn.stages import take_activation
from sparsegnn.testing import random_graph

EDGES = random_graph(30, 30, 150, 1).edge_index.unique(dim=1).contiguous()
GRAPH = sg.Graph.from_edge_index(EDGES, 30)

STACKS: dict[str, Callable[[], Any]] = {
    "GCN": lambda: pyg.GCN(8, 16, 3, 5, dropout=0.5),
    "GCN jk": lambda: pyg.GCN(8, 16, 3, 5, dropout=0.3, jk="cat", act_first=True),
    "GCN no activation": lambda: pyg.GCN(8, 16, 2, 5, dropout=0.3, act=None),
    "SAGE": lambda: pyg.GraphSAGE(8, 16, 2, 5, dropout=0.5),
    "SAGE max": lambda: pyg.GraphSAGE(8, 16, 2, 5, aggr="max", dropout=0.5, normalize=True),
    "GIN": lambda: pyg.GIN(8, 16, 3, 5, dropout=0.5),
    "GIN eps": lambda: pyg.GIN(8, 16, 2, 5, dropout=0.5, eps=0.3),
    "GIN learned eps": lambda: pyg.GIN(8, 16, 2, 5, dropout=0.5, eps=0.3, train_eps=True),
    "GAT": lambda: pyg.GAT(8, 16, 2, 5, heads=4, dropout=0.5),
    "GAT mean": lambda: pyg.GAT(8, 16, 2, 5, heads=4, concat=False, dropout=0.5, bias=False),
    "GAT v2": lambda: pyg.GAT(8, 16, 3, 5, heads=2, v2=True, dropout=0.2, residual=True),
}


def layer_by_layer(model: Any, *given: Any) -> Tensor:
    """The forward pass of PyG's own class."""
    return type(model).__bases__[1].forward(model, *given)  # type: ignore[attr-defined, no-any-return]


def run(model: nn.Module, forward: Callable[..., Tensor], *given: Any) -> list[Tensor]:
    """The result, and the gradients in the order of their names."""
    torch.manual_seed(7)
    model.zero_grad()
    y = forward(*given)
    y.square().sum().backward()  # type: ignore[no-untyped-call]
    found = {name: p.grad for name, p in model.named_parameters()}
    return [y, *(found[name].clone() for name in sorted(found) if found[name] is not None)]


@pytest.mark.parametrize("name", STACKS)
def test_equals_layer_by_layer(name: str) -> None:
    """The same elements drop, and gradients agree."""
    model = sg.nn.convert(STACKS[name]())
    x = torch.randn(30, 8)
    expected = run(model, lambda *given: layer_by_layer(model, *given), x, GRAPH)
    for left, right in zip(run(model, model, x, GRAPH), expected, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", STACKS)
def test_trains_as_pygs_without_dropout(name: str) -> None:
    theirs = STACKS[name]()
    theirs.dropout.p = 0.0
    for conv in theirs.convs:
        conv.dropout = 0.0
    ours = sg.nn.convert(copy.deepcopy(theirs))
    x = torch.randn(30, 8)
    expected = run(theirs, theirs, x, EDGES)
    sparse = sg.SparseMatrix.from_dense(x)
    for features in (x,) if name == "SAGE max" else (x, sparse):
        actual = run(ours, ours, features, GRAPH)
        for left, right in zip(actual, expected, strict=True):
            torch.testing.assert_close(left, right, rtol=1e-5, atol=1e-4)


def called(model: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which of ReLU and dropout run as modules."""
    seen: list[str] = []
    for kind in (nn.ReLU, sg.nn.Dropout):
        plain = kind.forward

        def forward(self: Any, x: Tensor, plain: Any = plain, name: str = kind.__name__) -> Tensor:
            seen.append(name)
            return plain(self, x)  # type: ignore[no-any-return]

        monkeypatch.setattr(kind, "forward", forward)
    model(torch.randn(30, 8), GRAPH)
    monkeypatch.undo()
    return seen


def test_what_lies_between_layers_takes_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in STACKS:
        assert called(sg.nn.convert(STACKS[name]()), monkeypatch) == []


def test_hooks_and_norms_are_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    both = ["ReLU", "Dropout"]
    model: Any = sg.nn.convert(pyg.GCN(8, 16, 2, 5, dropout=0.5))
    seen: list[Tensor] = []
    handle = model.convs[0].register_forward_hook(lambda module, given, y: seen.append(y.detach()))
    assert called(model, monkeypatch) == both and bool((seen[0] < 0).any())
    handle.remove()
    assert called(model, monkeypatch) == []
    model.act.register_forward_hook(lambda module, given, y: y * 0)
    assert called(model, monkeypatch) == both
    assert model(torch.randn(30, 8), GRAPH).std(0).max() == 0
    normed = sg.nn.convert(pyg.GCN(8, 16, 2, 5, dropout=0.5, norm="batch_norm"))
    assert called(normed, monkeypatch) == both
    odd: Any = pyg.GCN(8, 16, 2, 5, dropout=0.5)
    odd.convs[0].register_propagate_forward_hook(lambda *_: None)
    with pytest.warns(UserWarning, match="hooks on propagate"):
        sg.nn.convert(odd)
    torch.manual_seed(0)
    assert odd(torch.randn(30, 8), EDGES).shape == (30, 5)


@pytest.mark.parametrize("name", ["GCN", "GIN", "GAT"])
def test_pickles_and_names(name: str) -> None:
    model = sg.nn.convert(STACKS[name]()).eval()
    x = torch.randn(30, 8)
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert type(again) is type(model)
        torch.testing.assert_close(again(x, GRAPH), model(x, GRAPH))
    assert type(model).__name__ == type(STACKS[name]()).__name__
    assert isinstance(model, getattr(pyg, type(model).__name__))
    assert sg.nn.convert(model) is model
    assert type(sg.nn.desparsify(model)) is type(STACKS[name]())


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("ckpt_grad", [False, True])
@pytest.mark.parametrize("block", ["res+", "res", "dense", "plain"])
def test_deep_layers(block: str, ckpt_grad: bool, dropout: float) -> None:
    """PyG's results where nothing drops; with dropout those of the parts, one by one."""
    conv = pyg.GENConv(8, 8, t=0.1, learn_t=True, norm="layer")
    options: dict[str, Any] = {"block": block, "dropout": dropout, "ckpt_grad": ckpt_grad}
    theirs = pyg.DeepGCNLayer(conv, nn.LayerNorm(8), nn.ReLU(), **options)
    ours: Any = sg.nn.convert(copy.deepcopy(theirs))
    assert type(ours).__module__ == "sparsegnn.nn.pyg_models" and repr(ours) == repr(theirs)
    x = torch.randn(30, 8, requires_grad=True)

    def by_parts(x: Tensor, graph: sg.Graph) -> Tensor:
        h = sg.ops.dropout(ours.norm(x).relu(), dropout)
        return x + ours.conv(h, graph)  # type: ignore[no-any-return]

    if dropout == 0.0:
        expected = run(theirs, theirs, x, EDGES)
    elif block == "res+":
        expected = run(ours, by_parts, x, GRAPH)
    else:
        expected = run(ours, lambda *given: layer_by_layer(ours, *given), x, GRAPH)
    for left, right in zip(run(ours, ours, x, GRAPH), expected, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-4)
    assert type(sg.nn.desparsify(ours)) is pyg.DeepGCNLayer


def test_activations_join_while_they_can() -> None:
    relu, drop = nn.ReLU(), sg.nn.Dropout(0.5)
    joined, rest = take_activation([nn.Identity(), relu, relu, drop, relu])
    assert joined == sg.nn.Activation(relu=True, dropout=0.5) and rest == [relu]
    assert take_activation([drop, nn.Identity(), drop]) == (sg.nn.Activation(dropout=0.5), [drop])
    theirs = nn.Dropout(0.5)  # draws other elements
    assert take_activation([relu, theirs]) == (sg.nn.Activation(relu=True), [theirs])
    assert take_activation([theirs.eval(), relu]) == (sg.nn.Activation(relu=True), [])
    assert take_activation([nn.ELU()])[0] == sg.nn.Activation()
    relu.register_forward_hook(lambda *_: None)
    assert take_activation([relu]) == (sg.nn.Activation(), [relu])


@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("kind", ["GCN", "SAGE", "GraphConv", "GIN", "GAT", "GATv2"])
def test_layers_take_an_activation(kind: str, static: bool) -> None:
    """Of every layer, for PyG's static graphs too where the layer has them."""
    if static and kind.startswith("GAT"):
        pytest.skip("attention layers take one set of features")
    layers: dict[str, Callable[[], nn.Module]] = {
        "GCN": lambda: sg.nn.GCNConv(8, 4),
        "SAGE": lambda: sg.nn.SAGEConv(8, 4),
        "GraphConv": lambda: sg.nn.GraphConv(8, 4),
        "GIN": lambda: sg.nn.GINConv(nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 4))),
        "GAT": lambda: sg.nn.GATConv(8, 2, heads=2),
        "GATv2": lambda: sg.nn.GATv2Conv(8, 2, heads=2),
    }
    layer = layers[kind]()
    x = torch.randn(3, 30, 8) if static else torch.randn(30, 8)
    activation = sg.nn.Activation(relu=True, dropout=0.5)
    apart = run(layer, lambda x, g: activation.apply(layer(x, g)), x, GRAPH)
    joined = run(layer, lambda x, g: layer(x, g, activation=activation), x, GRAPH)
    for left, right in zip(joined, apart, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-5, atol=1e-5)
