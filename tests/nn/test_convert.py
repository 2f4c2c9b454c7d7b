import copy
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch_geometric.nn as pyg
from torch import nn
from torch.nn.utils import prune
from torch_geometric.utils import add_self_loops

import sparsegnn as sg
from sparsegnn.testing import random_graph

EDGES = random_graph(30, 30, 150, 1).edge_index.unique(dim=1).contiguous()
GRAPH = sg.Graph.from_edge_index(EDGES, 30)


class Nested(nn.Module):
    """Layers in a list, in a dict, shared, and one of PyG's blocks around another."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.ModuleList([pyg.GCNConv(8, 8), nn.ModuleDict({"a": pyg.SAGEConv(8, 8)})])
        self.again = self.first[0]
        self.block = pyg.DirGNNConv(pyg.GraphConv(8, 8))

    def forward(self, x: torch.Tensor, edges: Any) -> torch.Tensor:
        x = self.first[1]["a"](self.first[0](x, edges), edges)
        return self.again(x, edges) + self.block(x, edges)


def sequential() -> nn.Module:
    return pyg.Sequential(
        "x, edges, weight",
        [
            (pyg.GCNConv(8, 16), "x, edges, weight -> h"),
            nn.ReLU(inplace=True),
            (pyg.GATConv(16, 4, heads=2), "h, edges -> x"),
            (pyg.GINConv(nn.Sequential(nn.Linear(8, 4), nn.ReLU())), "x, edges -> x"),
            nn.Linear(4, 3),
        ],
    )


def deep(**options: Any) -> nn.Module:
    first = pyg.GENConv(8, 4, **options)
    layer = pyg.DeepGCNLayer(pyg.GENConv(4, 4, **options), nn.LayerNorm(4), nn.ReLU())
    return pyg.Sequential("x, edges", [(first, "x, edges -> x"), (layer, "x, edges -> x")])


MODELS: dict[str, Callable[[], nn.Module]] = {
    "GCN": lambda: pyg.GCN(8, 16, 3, 5, dropout=0.5),
    "GCN jk cat": lambda: pyg.GCN(8, 16, 3, 5, jk="cat", norm="batch_norm"),
    "GCN jk lstm": lambda: pyg.GCN(8, 16, 2, jk="lstm", act="elu", act_first=True, norm="layer"),
    "GCN one layer": lambda: pyg.GCN(8, 16, 1),
    "GraphSAGE": lambda: pyg.GraphSAGE(8, 16, 2, 5, norm="graph_norm"),
    "GraphSAGE max": lambda: pyg.GraphSAGE(8, 16, 2, 5, aggr="max", project=True, jk="last"),
    "GIN": lambda: pyg.GIN(8, 16, 3, 5, norm="batch_norm", train_eps=True, jk="max"),
    "GAT": lambda: pyg.GAT(8, 16, 2, 5, heads=4, dropout=0.5),
    "GAT v2": lambda: pyg.GAT(8, 16, 3, 5, heads=2, v2=True, share_weights=True, residual=True),
    "GAT edges": lambda: pyg.GAT(8, 16, 2, 5, v2=True, edge_dim=3),
    "Sequential": sequential,
    "nested": Nested,
    "GEN": lambda: deep(t=0.1, learn_t=True, norm="layer", bias=True, edge_dim=3),
    "GEN power": lambda: deep(aggr="power", p=2.0, msg_norm=True, learn_msg_scale=True),
    "GEN semi": lambda: deep(aggr="softmax_sg", t=0.3, num_layers=1, msg_norm=True),
    "GEN max": lambda: deep(aggr="max", norm="instance"),
    "a layer": lambda: pyg.GCNConv(8, 5, bias=False),
}


def inputs(name: str) -> tuple[Any, ...]:
    x = torch.randn(30, 8)
    if name == "Sequential":
        return (x, EDGES, torch.rand(EDGES.shape[1]))
    return (x, EDGES)


def ours_in(model: nn.Module) -> int:
    return sum(type(module).__module__.startswith("sparsegnn") for module in model.modules())


def same(actual: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


def gradients_of(y: torch.Tensor, parameters: dict[str, nn.Parameter]) -> dict[str, torch.Tensor]:
    wanted = {name: p for name, p in parameters.items() if p.requires_grad}
    found = torch.autograd.grad(y.square().sum(), list(wanted.values()), allow_unused=True)
    return {name: g for name, g in zip(wanted, found, strict=True) if g is not None}


def is_pyg(model: nn.Module) -> bool:
    return ours_in(model) == 0


@pytest.mark.parametrize("name", MODELS)
def test_there_and_back(name: str) -> None:
    """Outputs and gradients as PyG's; parameters the same objects; the way back is exact."""
    model = MODELS[name]().eval()
    given = inputs(name)
    parameters, state = dict(model.named_parameters()), copy.deepcopy(model.state_dict())
    expected = model(*given)
    gradients = gradients_of(expected, parameters)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        converted = sg.nn.convert(model)
    assert sg.nn.unconverted(converted) == {}
    convs = [m for m in converted.modules() if isinstance(m, pyg.MessagePassing)]
    assert not convs and ours_in(converted) > 0
    assert (converted is model) == (name != "a layer")
    assert {n: id(p) for n, p in converted.named_parameters()} == {
        n: id(p) for n, p in parameters.items()
    }
    assert not any(module.training for module in converted.modules())
    actual = converted(*given)
    same(actual, expected)
    torch.testing.assert_close(gradients_of(actual, parameters), gradients, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(dict(converted.state_dict()), dict(state), rtol=0, atol=0)

    back = sg.nn.desparsify(converted)
    assert is_pyg(back)
    assert {n: id(p) for n, p in back.named_parameters()} == {
        n: id(p) for n, p in parameters.items()
    }
    torch.testing.assert_close(dict(back.state_dict()), dict(state), rtol=0, atol=0)
    assert torch.equal(back(*given), expected)
    assert repr(back) == repr(MODELS[name]().eval())


@pytest.mark.parametrize("name", MODELS)
def test_a_copy_leaves_the_original(name: str) -> None:
    model = MODELS[name]().eval()
    before = copy.deepcopy(model.state_dict())
    converted = sg.nn.convert(model, inplace=False)
    assert is_pyg(model) and ours_in(converted) > 0
    given = inputs(name)
    same(converted(*given), model(*given))
    with torch.no_grad():
        for parameter in converted.parameters():
            parameter.zero_()
    torch.testing.assert_close(dict(model.state_dict()), dict(before), rtol=0, atol=0)
    assert is_pyg(sg.nn.desparsify(converted, inplace=False)) and ours_in(converted) > 0


def test_an_optimizer_goes_on() -> None:
    """Three steps, conversion, three steps: the same as six steps of PyG's model."""
    reference = pyg.GCN(8, 16, 2, 5)
    model = copy.deepcopy(reference)
    x, y = torch.randn(30, 8), torch.randint(0, 5, (30,))
    ends = []
    for network, swap in ((reference, False), (model, True)):
        optimizer = torch.optim.Adam(network.parameters(), 0.05)
        for step in range(6):
            if swap and step == 3:
                sg.nn.convert(network)
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(x, EDGES), y).backward()
            optimizer.step()
        ends.append(network(x, EDGES))
    torch.testing.assert_close(ends[1], ends[0], rtol=1e-4, atol=1e-4)


def test_modes_hooks_dtype_and_frozen_parameters_stay() -> None:
    model = pyg.GCN(8, 16, 2, 5).double()
    model.convs[0].eval()
    model.convs[0].lin.weight.requires_grad_(False)
    seen: list[str] = []
    handle = model.convs[1].register_forward_hook(lambda m, *_: seen.append(type(m).__module__))
    model.convs[1].lin.register_forward_hook(lambda *_: seen.append("lin"))
    state = torch.get_rng_state()
    sg.nn.convert(model)
    assert torch.equal(torch.get_rng_state(), state)
    assert not model.convs[0].training and model.convs[1].training
    assert not model.convs[0].lin.weight.requires_grad
    assert model(torch.randn(30, 8).double(), EDGES).dtype == torch.float64
    assert seen == ["lin", "sparsegnn.nn.gcn_conv"]
    handle.remove()
    sg.nn.desparsify(model)(torch.randn(30, 8).double(), EDGES)
    assert seen[2:] == ["lin"]


def test_pruned_by_torch() -> None:
    """`torch.nn.utils.prune` on a layer and on its linear map."""
    for kind in (pyg.GCNConv, pyg.SAGEConv, pyg.GATConv):
        conv = kind(8, 4)
        lin = conv.lin_l if kind is pyg.SAGEConv else conv.lin
        prune.l1_unstructured(lin, "weight", 0.5)
        if kind is not pyg.SAGEConv:
            prune.l1_unstructured(conv, "bias", 0.5)
        x = torch.randn(30, 8)
        expected = conv(x, EDGES)
        converted = sg.nn.convert(conv)
        for _ in range(2):
            same(converted(x, EDGES), expected)
            converted(x, EDGES).sum().backward()
        same(sg.nn.desparsify(converted)(x, EDGES), expected)


class Louder(pyg.GCNConv):
    def message(self, x_j: torch.Tensor, edge_weight: Any) -> torch.Tensor:
        return 2 * super().message(x_j, edge_weight)


def replaced_method() -> nn.Module:
    conv = pyg.GCNConv(8, 8)
    conv.message = lambda x_j, edge_weight: x_j
    return conv


def hooked() -> nn.Module:
    conv = pyg.SAGEConv(8, 8)
    conv.register_message_forward_pre_hook(lambda *_: None)
    return conv


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: pyg.ChebConv(8, 8, 2), "sparsegnn has no such layer"),
        (lambda: Louder(8, 8), "it is a subclass of GCNConv, whose methods may differ"),
        (lambda: pyg.SAGEConv(8, 8, aggr="lstm"), "aggr='lstm' is not supported"),
        (lambda: pyg.SAGEConv(8, 8, aggr=["mean", "max"]), "aggr=['mean', 'max'] is not supported"),
        (lambda: pyg.GCNConv(8, 8, aggr="max"), "aggr='max' is not supported"),
        (
            lambda: pyg.GCNConv(8, 8, flow="target_to_source"),
            "flow='target_to_source' is not supported",
        ),
        (lambda: pyg.SAGEConv(8, 8, node_dim=0), "node_dim=0 is not supported"),
        (
            lambda: pyg.SAGEConv(8, 8, decomposed_layers=2),
            "decomposed_layers=2 is not supported",
        ),
        (hooked, "it has hooks on message"),
        (replaced_method, "its method message is replaced"),
    ],
)
def test_what_stays_is_listed(make: Callable[[], nn.Module], reason: str) -> None:
    model = nn.Sequential(pyg.GCNConv(8, 8), nn.ModuleDict({"odd": make()}))
    odd = model[1]["odd"]
    with pytest.warns(UserWarning, match=r"^1\.odd \(\w+\) is left as it is: ") as caught:
        assert sg.nn.convert(model) is model
    assert len(caught) == 1 and str(caught[0].message).endswith(f": {reason}.")
    assert model[1]["odd"] is odd and isinstance(model[0], sg.nn.GCNConv)
    assert sg.nn.unconverted(model) == {"1.odd": reason}
    assert sg.nn.desparsify(model)[1]["odd"] is odd


def test_a_model_without_layers_and_a_layer_alone() -> None:
    linear = nn.Linear(3, 3)
    assert sg.nn.convert(linear) is linear and sg.nn.desparsify(linear) is linear
    with pytest.warns(UserWarning, match=r"^the model \(ChebConv\) is left as it is"):
        sg.nn.convert(pyg.ChebConv(8, 8, 2))
    for call in (sg.nn.convert, sg.nn.desparsify):
        with pytest.raises(TypeError, match=r"model must be a torch.nn.Module, got int"):
            call(3)


def test_shared_layers_stay_shared() -> None:
    model = sg.nn.convert(Nested())
    assert model.again is model.first[0]
    sg.nn.desparsify(model)
    assert model.again is model.first[0]


LAZY: dict[str, Callable[[], nn.Module]] = {
    "GCN": lambda: pyg.GCNConv(-1, 4),
    "GAT": lambda: pyg.GATConv(-1, 4, heads=2),
    "GAT pair": lambda: pyg.GATConv((-1, -1), 4, heads=2, add_self_loops=False),
    "GATv2": lambda: pyg.GATv2Conv(-1, 4, heads=2),
    "SAGE": lambda: pyg.SAGEConv((-1, -1), 4),
    "GraphConv": lambda: pyg.GraphConv(-1, 4),
    "GEN": lambda: pyg.GENConv(-1, 1, norm="layer", edge_dim=-1),
    "GEN pair": lambda: pyg.GENConv((-1, -1), 4, norm="layer"),
}


@pytest.mark.parametrize("name", LAZY)
def test_lazy_sizes(name: str) -> None:
    conv = sg.nn.convert(LAZY[name]())
    assert any(isinstance(p, nn.UninitializedParameter) for p in conv.parameters())
    x = torch.randn(30, 8)
    actual = conv(x, EDGES)
    back = sg.nn.desparsify(conv)
    assert back.in_channels == LAZY[name]().in_channels
    same(actual, back(x, EDGES))


@pytest.mark.parametrize("name", MODELS)
def test_meta_models(name: str) -> None:
    with torch.device("meta"):
        model = MODELS[name]()
    converted = sg.nn.convert(model)
    assert all(p.is_meta for p in converted.parameters())
    real = converted.to_empty(device="cpu")
    real.load_state_dict(MODELS[name]().state_dict())
    assert real(*inputs(name)).isfinite().all()


def test_our_own_models_become_pygs() -> None:
    """Layers that never were PyG's."""
    model = sg.nn.GCN(8, 16, 2, 5, dropout=0.5).eval()
    parameters = [id(p) for p in model.parameters()]
    x = torch.randn(30, 8)
    expected = model(x, EDGES)
    back = sg.nn.desparsify(model)
    assert type(back) is pyg.GCN and is_pyg(back) and not back.training
    assert back.dropout.p == 0.5
    assert [id(p) for p in back.parameters()] == parameters
    same(back(x, EDGES), expected)
    for name in ("GAT", "GATv2", "SAGE", "GIN", "GraphConv", "GEN"):
        layer = OURS[name]()
        expected = layer(x, EDGES)
        shared = getattr(layer, "share_weights", False)
        pygs = sg.nn.desparsify(layer)
        assert is_pyg(pygs)
        same(pygs(x, EDGES), expected)
        assert not shared or pygs.lin_l is pygs.lin_r


OURS: dict[str, Callable[[], nn.Module]] = {
    "GAT": lambda: sg.nn.GATConv(8, 4, heads=2, residual=True),
    "GATv2": lambda: sg.nn.GATv2Conv(8, 4, heads=2, share_weights=True),
    "SAGE": lambda: sg.nn.SAGEConv(8, 4, project=True, normalize=True),
    "GIN": lambda: sg.nn.GINConv(nn.Sequential(nn.Linear(8, 4)), 0.5, True),
    "GraphConv": lambda: sg.nn.GraphConv(8, 4, aggr="mean"),
    "GEN": lambda: sg.nn.GENConv(8, 4, t=0.3, learn_t=True, norm="layer", msg_norm=False),
}


# The calling conventions of PyG's models.


@pytest.mark.parametrize("name", ["GCN", "GraphSAGE", "GIN", "GAT", "GAT edges"])
def test_graphs_edge_values_and_batches(name: str) -> None:
    model = MODELS[name]().eval()
    x, count = torch.randn(30, 8), EDGES.shape[1]
    options: dict[str, Any] = {"batch": torch.arange(30) // 10, "batch_size": 3}
    if name == "GCN":
        options["edge_weight"] = torch.rand(count)
    if name == "GAT edges":
        options["edge_attr"] = torch.randn(count, 3)
    expected = model(x, EDGES, **options)
    sg.nn.convert(model)
    for graph in (EDGES, GRAPH):
        same(model(x, graph, **options), expected)


@pytest.mark.parametrize("name", ["GCN", "GraphSAGE", "GraphSAGE max", "GAT v2"])
def test_trimming_to_sampled_hops(name: str) -> None:
    """Three seeds, four and then five sampled nodes; edges point towards the seeds."""
    model = MODELS[name]().eval()
    edges = torch.tensor([[3, 4, 5, 6, 7, 8, 9, 10, 11], [0, 1, 2, 2, 3, 4, 5, 6, 6]])
    layers = len(model.convs)
    options = {
        "num_sampled_nodes_per_hop": [3, 4, 5, 0][: layers + 1],
        "num_sampled_edges_per_hop": [4, 5, 0][:layers],
    }
    x = torch.randn(12, 8)
    expected = model(x, edges, **options)
    same(sg.nn.convert(model)(x, edges, **options), expected)


def test_explicit_inference_per_layer() -> None:
    model = pyg.GraphSAGE(8, 16, 2, 5).eval()
    x = torch.randn(30, 8)
    expected = model.inference_per_layer(0, x, EDGES, 20)
    same(sg.nn.convert(model).inference_per_layer(0, x, EDGES, 20), expected)


def test_a_heterogeneous_model() -> None:
    relations = {
        ("user", "rates", "item"): pyg.SAGEConv((8, 6), 4),
        ("item", "rated by", "user"): pyg.GATConv((6, 8), 4, add_self_loops=False),
    }
    model = pyg.HeteroConv(relations, aggr="sum")
    x = {"user": torch.randn(20, 8), "item": torch.randn(30, 6)}
    edges = {
        ("user", "rates", "item"): random_graph(30, 20, 50, 1).edge_index,
        ("item", "rated by", "user"): random_graph(20, 30, 50, 2).edge_index,
    }
    expected = model(x, edges)
    actual = sg.nn.convert(model)(x, edges)
    for node_type, value in expected.items():
        same(actual[node_type], value)


@pytest.mark.parametrize("name", ["GCN", "GraphSAGE", "GIN", "GAT", "GAT v2"])
def test_a_converted_model_compiles_to_one_graph(name: str) -> None:
    torch._dynamo.reset()
    model = sg.nn.convert(MODELS[name]().eval())
    x = torch.randn(30, 8)
    expected = model(x, GRAPH)
    same(torch.compile(model, fullgraph=True, backend="aot_eager")(x, GRAPH), expected)


def test_a_converted_model_is_copied() -> None:
    model = sg.nn.convert(pyg.GAT(8, 16, 2, 5)).eval()
    x = torch.randn(30, 8)
    same(copy.deepcopy(model)(x, EDGES), model(x, EDGES))


def test_loops_given_by_hand() -> None:
    edges, _ = add_self_loops(EDGES, num_nodes=30)
    conv = pyg.GCNConv(8, 4, add_self_loops=False)
    x = torch.randn(30, 8)
    expected = conv(x, edges)
    same(sg.nn.convert(conv)(x, edges), expected)


def test_dropout_is_swapped_too() -> None:
    torch.manual_seed(0)
    model = pyg.GCN(8, 64, 2, 4, dropout=0.3)
    converted = sg.nn.convert(model)
    assert type(converted.dropout) is sg.nn.Dropout and converted.dropout.p == 0.3
    x = torch.ones(400, 500)
    dropped = converted.dropout(x)
    kept = dropped != 0
    assert abs(float(kept.float().mean()) - 0.7) < 0.01
    torch.testing.assert_close(dropped[kept], x[kept] / 0.7, rtol=1e-4, atol=0)
    assert converted.eval().dropout(x) is x
    assert type(sg.nn.desparsify(converted).dropout) is torch.nn.Dropout
    in_place = torch.nn.Sequential(torch.nn.Dropout(0.5, inplace=True))
    assert type(sg.nn.convert(in_place)[0]) is torch.nn.Dropout
