"""`sparsegnn.compile` on models of PyG and others: equal results, honest reports, sentences."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch_geometric.nn as pyg
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune

import sparsegnn as sg
from sparsegnn import nn as ours
from sparsegnn.compiler import CompiledModel

NODES = 40


def setting(seed: int = 0, density: float = 0.2) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(seed)
    edges = torch.randint(0, NODES - 4, (2, 150), generator=g)
    edges = edges[:, edges[0] != edges[1]]
    x = torch.rand(NODES, 20, generator=g, dtype=torch.float64) - 0.3
    return edges, x * (torch.rand(NODES, 20, generator=g) < density)


def pruned(model: nn.Module, share: float, seed: int = 0) -> nn.Module:
    """Zeros at random weights, and statistics of batch norm that are not the initial ones."""
    g = torch.Generator().manual_seed(seed)
    model = model.double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            drawn = torch.rand(parameter.shape, generator=g, dtype=torch.float64)
            parameter.add_(drawn * 0.2)
            if parameter.dim() == 2:
                parameter.mul_(torch.rand(parameter.shape, generator=g) >= share)
        for name, buffer in model.named_buffers():
            if "running" in name:
                buffer.copy_(torch.rand(buffer.shape, generator=g) + 0.5)
    return model


def compiled(model: nn.Module, edges: Tensor, x: Tensor, **options: Any) -> CompiledModel:
    fast = sg.compile(model, edges, x, tune=False, **options)
    assert fast.report().plan == "compiled", fast.report().reason
    return fast


BASIC: dict[str, tuple[Any, dict[str, Any]]] = {
    "gcn": (pyg.GCN, {}),
    "gin": (pyg.GIN, {}),
    "gin eps": (pyg.GIN, {"train_eps": True, "eps": 0.3}),
    "sage": (pyg.GraphSAGE, {}),
    "sage max": (pyg.GraphSAGE, {"aggr": "max"}),
    "sage projected": (pyg.GraphSAGE, {"project": True, "normalize": True}),
    "gat": (pyg.GAT, {"heads": 4}),
    "gat mean of heads": (pyg.GAT, {"heads": 4, "concat": False}),
    "gat v2": (pyg.GAT, {"heads": 4, "v2": True}),
    "gat v2 shared": (pyg.GAT, {"heads": 2, "v2": True, "share_weights": True}),
    "gat residual": (pyg.GAT, {"heads": 2, "residual": True}),
    "batch norm": (pyg.GCN, {"norm": "batch_norm"}),
    "norm after act": (pyg.GCN, {"norm": "batch_norm", "act_first": True}),
    "layer norm": (pyg.GCN, {"norm": "layer_norm"}),
    "jk cat": (pyg.GCN, {"jk": "cat"}),
    "jk max": (pyg.GraphSAGE, {"jk": "max"}),
    "jk lstm": (pyg.GIN, {"jk": "lstm"}),
    "elu": (pyg.GCN, {"act": "elu", "act_kwargs": {"alpha": 0.7}}),
    "leaky relu": (pyg.GIN, {"act": "leaky_relu"}),
    "tanh": (pyg.GraphSAGE, {"act": "tanh"}),
    "no bias": (pyg.GCN, {"bias": False}),
    "unnormalised": (pyg.GCN, {"normalize": False, "add_self_loops": False}),
}


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("share", [0.0, 0.8, 1.0])
@pytest.mark.parametrize("name", BASIC)
def test_models_of_pyg_keep_their_results(name: str, share: float, layers: int) -> None:
    torch.manual_seed(0)
    kind, options = BASIC[name]
    model = pruned(kind(20, 16, layers, 7, dropout=0.5, **options), share)
    edges, x = setting()
    fast = compiled(model, edges, x)
    expected = model(x, edges).detach()
    assert torch.allclose(fast(), expected, rtol=1e-9, atol=1e-11)
    other = x * 2
    assert torch.allclose(fast(other), model(other, edges).detach(), rtol=1e-9, atol=1e-11)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    kind=st.sampled_from([pyg.GCN, pyg.GIN, pyg.GraphSAGE, pyg.GAT]),
    hidden=st.sampled_from([2, 16, 34]),
    layers=st.integers(1, 3),
    share=st.sampled_from([0.0, 0.5, 0.9, 0.99]),
    density=st.sampled_from([0.0, 0.1, 0.9]),
    norm=st.sampled_from([None, "batch_norm"]),
    dropped=st.sampled_from([0.0, 0.4, 1.0]),
)
def test_pruned_edges_and_weights(
    seed: int, kind: Any, hidden: int, layers: int, share: float, density: float,
    norm: str | None, dropped: float,
) -> None:  # fmt: skip
    torch.manual_seed(seed)
    model = pruned(kind(20, hidden, layers, 6, norm=norm), share, seed)
    edges, x = setting(seed, density)
    keep = torch.rand(edges.shape[1]) >= dropped
    fast = compiled(model, edges, x, edge_mask=keep)
    expected = model(x, edges[:, keep]).detach()
    assert torch.allclose(fast(), expected, rtol=1e-9, atol=1e-10)
    assert fast.report().edges_kept == int(keep.sum())


def test_edge_weights_follow_their_edges() -> None:
    edges, x = setting()
    weight = torch.rand(edges.shape[1], dtype=torch.float64)
    keep = torch.rand(edges.shape[1]) < 0.5
    for kind in (pyg.GCNConv, pyg.GraphConv):
        layers = [(kind(20, 8), "x, edge_index, edge_weight -> x"), nn.ReLU(inplace=True)]
        model = pyg.Sequential("x, edge_index, edge_weight", layers).double()
        fast = compiled(model, edges, x, edge_weight=weight, edge_mask=keep)
        expected = model(x, edges[:, keep], weight[keep]).detach()
        assert torch.allclose(fast(), expected, atol=1e-12)


class Residual(nn.Module):
    """Layers of ours and PyG's with functions between them."""

    def __init__(self) -> None:
        super().__init__()
        self.start = nn.Linear(20, 12)
        self.first = ours.GCNConv(12, 12)
        self.second = pyg.GATConv(12, 6, heads=2)
        self.norm = nn.BatchNorm1d(12)
        self.gate = nn.Parameter(torch.rand(12))
        self.last = ours.SAGEConv(24, 5)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        h = torch.nn.functional.elu(self.start(x))
        h = h + torch.relu(self.first(h, edge_index))
        h = self.norm(h + self.second(h, edge_index)) * self.gate
        h = torch.nn.functional.dropout(h, 0.5, self.training)
        h = torch.cat([h, 2.0 * h.tanh() - 1.0], dim=-1)
        return torch.log_softmax(self.last(h, edge_index), dim=-1)


@pytest.mark.parametrize("share", [0.0, 0.8])
def test_a_model_of_mixed_layers_and_functions(share: float) -> None:
    torch.manual_seed(0)
    model = pruned(Residual(), share)
    edges, x = setting()
    fast = compiled(model, edges, x)
    graph = sg.Graph.from_edge_index(edges, num_nodes=NODES)
    assert torch.allclose(fast(), model(x, edges).detach(), atol=1e-11)
    assert torch.allclose(compiled(model, graph, x)(), fast(), atol=1e-12)


def test_weights_under_torch_prune_and_parametrisations(planned_by_macs: None) -> None:
    torch.manual_seed(0)
    edges, x = setting()
    model = pyg.GCN(20, 16, 2, 4).double()
    prune.l1_unstructured(model.convs[0].lin, "weight", 0.9)
    parametrize.register_parametrization(model.convs[1].lin, "weight", nn.Tanh())
    head = nn.Linear(4, 4).double()
    parametrize.register_parametrization(head, "bias", nn.Tanh())
    model = pyg.Sequential("x, edges", [(model, "x, edges -> x"), head])
    before = model.training
    fast = compiled(model, edges, x)
    assert torch.allclose(fast(), model.eval()(x, edges).detach(), atol=1e-12)
    assert before and prune.is_pruned(model) and parametrize.is_parametrized(head)
    assert fast.report().layers[0].kept_weights <= 33


def test_dead_heads_are_removed() -> None:
    torch.manual_seed(0)
    edges, x = setting()
    model = pyg.GAT(20, 16, 2, 4, heads=4).double().eval()
    with torch.no_grad():
        model.convs[1].lin.weight[:, 4:12] = 0
    fast = compiled(model, edges, x)
    assert torch.allclose(fast(), model(x, edges).detach(), atol=1e-12)
    assert 8 in [width for layer in fast.report().layers for width in layer.live_units]


TRACED = ["gcn", "gin", "sage", "sage max", "gat", "gat v2", "gat mean of heads", "jk cat"]


@pytest.mark.parametrize("density", [0.02, 1.0])
@pytest.mark.parametrize("name", TRACED)
def test_torch_compile_and_export(name: str, density: float) -> None:
    torch.manual_seed(0)
    kind, options = BASIC[name]
    edges, x = setting(0, density)
    fast = compiled(pruned(kind(20, 16, 2, 7, **options), 0.5), edges, x)
    expected = fast()
    torch._dynamo.reset()
    traced = torch.compile(fast, fullgraph=True, backend="aot_eager")
    assert torch.allclose(traced(), expected, atol=1e-12)
    exported = torch.export.export(fast, ())
    assert torch.allclose(exported.module()(), expected, atol=1e-12)
    if density == 1.0:
        assert torch.allclose(traced(x), expected, atol=1e-12)


@pytest.mark.parametrize("density", [0.02, 1.0])
@pytest.mark.parametrize("name", [*TRACED, "batch norm", "elu", "gat residual"])
def test_saved_programs_come_back(name: str, density: float, tmp_path: Path) -> None:
    torch.manual_seed(0)
    kind, options = BASIC[name]
    edges, x = setting(0, density)
    fast = compiled(pruned(kind(20, 16, 2, 7, **options), 0.5), edges, x)
    fast.save(tmp_path / "fast.program")
    again = CompiledModel.load(tmp_path / "fast.program")
    for other in (None, x * 2):
        assert torch.allclose(again(other), fast(other), rtol=0, atol=1e-14)
    assert again.report() == fast.report()
    assert again.state_dict().keys() == fast.state_dict().keys()


def test_damaged_and_foreign_files_are_refused(tmp_path: Path) -> None:
    edges, x = setting()
    fast = compiled(pyg.GCN(20, 16, 2, 7).double(), edges, x)
    path = tmp_path / "fast.program"
    fast.save(path)
    whole = path.read_bytes()
    cases = {
        "short": (whole[:-8], "broken file"),
        "empty": (b"", "broken file"),
        "text": (b"not a program" * 9, "broken file"),
        "changed": (
            whole[:-8] + bytes(255 - byte for byte in whole[-8:]),
            "does not fit its checksum",
        ),
        "future": (whole.replace(b'"version":"2"', b'"version":"3"'), "must have version 2"),
        "foreign": (whole.replace(b"sparsegnn-program", b"sparsegnn-problem"), "another kind"),
    }
    for name, (content, sentence) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=sentence) as caught:
            CompiledModel.load(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(OSError, match="nowhere"):
        CompiledModel.load(tmp_path / "nowhere")
    call = "x, edge_index -> x"
    unknown = pyg.Sequential("x, edge_index", [(pyg.ClusterGCNConv(20, 8), call)]).double()
    with pytest.raises(ValueError, match="cannot be stored"):
        compiled(unknown, edges, x).save(path)
    with pytest.raises(ValueError, match="could not be traced"):
        sg.compile(Branching().double(), edges, x).save(path)
    assert path.read_bytes() == whole


class Deep(nn.Module):
    """Residual blocks of GENConv, as DeeperGCN stacks them."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(20, 8)
        blocks = [
            pyg.DeepGCNLayer(
                pyg.GENConv(8, 8, learn_t=True), nn.LayerNorm(8), nn.ReLU(), "res+", dropout=0.2
            )
            for _ in range(3)
        ]
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        x = self.encoder(x)
        for block in self.blocks:
            x = block(x, edge_index)
        return self.head(x)


def test_deep_residual_models() -> None:
    torch.manual_seed(0)
    edges, x = setting()
    model = Deep().double().eval()
    fast = compiled(model, edges, x)
    assert torch.allclose(fast(), model(x, edges).detach(), atol=1e-11)
    assert "softmax aggregation 8 wide" in str(fast.report())


@pytest.mark.parametrize("aggr", ["softmax", "softmax_sg", "powermean", "mean", "max", "add"])
@pytest.mark.parametrize("out", [20, 8])
def test_generalised_aggregation(aggr: str, out: int) -> None:
    torch.manual_seed(0)
    edges, x = setting()
    conv = pyg.GENConv(20, out, aggr=aggr, t=0.7, num_layers=3)
    model = pruned(pyg.Sequential("x, edges", [(conv, "x, edges -> x"), nn.Linear(out, 3)]), 0.4)
    fast = compiled(model, edges, x)
    assert torch.allclose(fast(), model(x, edges).detach(), atol=1e-11)


@pytest.mark.parametrize(
    "options",
    [
        {"p": 2.5},
        {"p": 1.3, "learn_p": True},
        {"aggr_kwargs": {"p": -1.0, "learn": True, "channels": 8}},
        {"aggr_kwargs": {"p": 2.0, "clamp_min": 1e-3, "clamp_max": None}},
    ],
    ids=str,
)
def test_power_means(options: dict[str, Any], tmp_path: Path) -> None:
    """Planned as a sum between powers, and stored with the rest."""
    torch.manual_seed(0)
    edges, x = setting()
    conv = pyg.GENConv(20, 8, aggr="powermean", num_layers=2, **options)
    model = pruned(pyg.Sequential("x, edges", [(conv, "x, edges -> x"), nn.Linear(8, 3)]), 0.4)
    fast = compiled(model, edges, x)
    expected = model(x, edges).detach()
    assert torch.allclose(fast(), expected, atol=1e-11)
    assert str(fast.report()).count("powers") == 2
    fast.save(tmp_path / "program")
    assert torch.equal(CompiledModel.load(tmp_path / "program")(x), fast())


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = pyg.GCNConv(20, 3)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.conv(x, edge_index) if x.sum() > 0 else x[:, :3]


def test_a_model_that_cannot_be_followed_is_kept_with_the_reason() -> None:
    edges, x = setting()
    model = Branching().double()
    fast = sg.compile(model, edges, x)
    report = fast.report()
    assert report.plan == "dense" and "could not be traced" in report.reason
    assert "\n" not in report.reason
    assert torch.allclose(fast(), model(x, edges).detach(), rtol=0, atol=1e-14)
    json.dumps(report.to_json())
    assert "cannot be compiled" in str(report)


def test_an_unknown_layer_is_kept_as_it_is() -> None:
    torch.manual_seed(0)
    edges, x = setting()
    steps = [
        (pyg.ClusterGCNConv(20, 8), "x, edge_index -> x"),
        (pyg.GCNConv(8, 3), "x, edge_index -> x"),
    ]
    model = pyg.Sequential("x, edge_index", steps).double().eval()
    fast = compiled(model, edges, x)
    assert torch.allclose(fast(), model(x, edges).detach(), atol=1e-12)
    assert "module_0: left as it is, sparsegnn has no such layer" in str(fast.report())


def test_the_model_is_left_alone() -> None:
    edges, x = setting()
    model = pyg.GCN(20, 8, 2, 3, dropout=0.5).double().train()
    model.convs[0].eval()
    state = {key: value.clone() for key, value in model.state_dict().items()}
    fast = compiled(model, edges, x)
    with torch.no_grad():
        expected = fast()
        model.convs[0].lin.weight.zero_()
    assert torch.equal(fast(), expected)
    assert model.training and not model.convs[0].training
    assert all(p.requires_grad for p in model.parameters()) and state.keys()


def test_wrong_arguments_have_their_sentence() -> None:
    edges, x = setting()
    model = pyg.GCN(20, 8, 2, 3).double()
    broken = pyg.GCN(20, 8, 2, 3).double()
    with torch.no_grad():
        broken.convs[1].bias[1] = torch.nan
    cases: list[tuple[tuple[Any, ...], dict[str, Any], type[Exception], str]] = [
        (("gcn", edges, x), {}, TypeError, "model must be a torch.nn.Module, got str"),
        ((model, "edges", x), {}, TypeError, "graph must be a Graph or an edge_index, got str"),
        ((model, torch.eye(NODES).to_sparse_csr(), x), {}, ValueError, "got a sparse tensor"),
        ((model, edges, x.float()), {}, TypeError, "model and x must both be float32 or float64"),
        ((model, edges, x / 0), {}, ValueError, "x must be finite"),
        ((model, edges, [1.0]), {}, TypeError, "x must be a tensor or a SparseMatrix, got list"),
        ((model, edges, x[0]), {}, ValueError, r"x must have shape \[N, F\], got \[20\]"),
        ((model, edges, x[:, 1:]), {}, ValueError, r"convs.0 must take 20 features, got 19"),
        ((broken, edges, x), {}, ValueError, "'convs.1.bias' has NaN or infinity"),
        ((model, edges, x), {"edge_weight": x}, ValueError, "edge_weight must have shape"),
        ((model, edges, x), {"edge_mask": edges[0, 1:] > 9}, ValueError, "edge_mask must have"),
    ]
    for arguments, options, error, sentence in cases:
        with pytest.raises(error, match=sentence) as caught:
            sg.compile(*arguments, **options, tune=False)
        assert "\n" not in str(caught.value)
