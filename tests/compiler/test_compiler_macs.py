"""`sparsegnn.macs`: published counts, layers worked out by hand, and PyTorch's own counter."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
import torch_geometric.nn as pyg
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import sparsegnn as sg
from sparsegnn.compiler import CompiledModel

NODES, PAIRS, FEATURES = 30, 80, 20
CORA = (2708, 5429, 1433, 7)
CITESEER = (3327, 4614, 3703, 6)
PUBMED = (19717, 44338, 500, 3)


def graph_of(nodes: int, links: int) -> Tensor:
    """So many different links, in both directions."""
    code = torch.randint(nodes * nodes, (4 * links,)).unique()
    code = code[torch.randperm(len(code))]
    low, high = code // nodes, code % nodes
    pairs = torch.stack([low, high])[:, low < high][:, :links]
    assert pairs.shape[1] == links
    return torch.cat([pairs, pairs.flip(0)], dim=1)


def setting() -> tuple[sg.Graph, Tensor]:
    edges = graph_of(NODES, PAIRS)
    x = torch.rand(NODES, FEATURES) * (torch.rand(NODES, FEATURES) < 0.3)
    return sg.Graph.from_edge_index(edges, num_nodes=NODES), x


def sparse_features(nodes: int, features: int) -> sg.SparseMatrix:
    """An entry in every row."""
    pattern = sg.Graph.from_csr(torch.arange(nodes + 1), torch.arange(nodes) % features, features)
    return sg.SparseMatrix(pattern, torch.ones(nodes))


@pytest.mark.parametrize(("data", "millions"), [(CORA, 77.95), (CITESEER, 231.6), (PUBMED, 203.1)])
def test_counts_of_gebt(data: tuple[int, ...], millions: float) -> None:
    """Its GCN-16 row; for PubMed its formula gives 203.02 where it prints 203.1."""
    nodes, links, features, classes = data
    model, x = pyg.GCN(features, 16, 2, classes), sparse_features(nodes, features)
    total = sg.macs(model, graph_of(nodes, links), x, convention="gebt").total
    assert total.papers == 2 * links * features + nodes * 16 * (features + classes)
    assert total.papers / 1e6 == pytest.approx(millions, rel=5e-4)


@pytest.mark.parametrize(("round_", "millions"), [(0, 2007), (4, 826), (9, 275)])
def test_counts_of_ugs(round_: int, millions: int) -> None:
    """Its teaser: a GCN-512 on Cora at 0/0, 18.55/59.04 and 36.98/86.58 % of edges/weights."""
    nodes, links, features, classes = CORA
    model = pyg.GCN(features, 512, 2, classes)
    with torch.no_grad():
        for conv in model.convs:
            weight = conv.lin.weight
            keep = round(0.8**round_ * weight.numel())
            mask = torch.zeros(weight.numel()).index_fill_(
                0, torch.randperm(weight.numel())[:keep], 1
            )
            weight.copy_(mask.view_as(weight))
    edges = graph_of(nodes, links)
    kept = torch.arange(links) < round(0.95**round_ * links)
    x = sparse_features(nodes, features)
    table = sg.macs(model, edges, x, edge_mask=kept.repeat(2))
    assert round(table.total.papers / 1e6) == millions


def test_a_gcn_layer_by_layer() -> None:
    graph, x = setting()
    table = sg.macs(pyg.GCN(FEATURES, 16, 2, 5), graph, sg.SparseMatrix.from_dense(x))
    first, second = table.layers["convs.0"], table.layers["convs.1"]
    nonzeros, entries = int((x != 0).sum()), 2 * PAIRS + NODES
    assert first.papers == NODES * FEATURES * 16 + PAIRS * FEATURES
    assert first.executed_dense_features == NODES * FEATURES * 16 + entries * 16
    assert first.executed == nonzeros * 16 + entries * 16
    assert second.executed == second.executed_dense_features == NODES * 16 * 5 + entries * 5
    assert table.total == first + second
    assert json.loads(json.dumps(table.to_json()))["total"]["executed"] == table.total.executed
    assert "convs.1" in str(table) and "total" in str(table)


def test_shares_of_kept_edges_and_weights_scale_the_papers_count() -> None:
    graph, x = setting()
    model = pyg.GCN(FEATURES, 16, 2, 5, bias=False)
    with torch.no_grad():
        for conv in model.convs:
            conv.lin.weight.fill_(1.0).view(-1)[::2] = 0
    keep = torch.arange(2 * PAIRS) % 4 > 0
    whole = sg.macs(model, graph, x).total
    kept = sg.macs(model, graph, x, edge_mask=keep).total
    linear = NODES * (FEATURES * 16 + 16 * 5) // 2
    assert whole.papers == linear + PAIRS * (FEATURES + 16)
    assert kept.papers == linear + PAIRS * (FEATURES + 16) * 3 // 4
    assert kept.executed < whole.executed


@pytest.mark.parametrize("sparse", [False, True])
def test_zeros_can_be_left_out(sparse: bool) -> None:
    graph, x = setting()
    model = pyg.GCN(FEATURES, 16, 2, 5, bias=False)
    with torch.no_grad():
        for conv in model.convs:
            conv.lin.weight.mul_(torch.rand(conv.lin.weight.shape) < 0.3)
    features = sg.SparseMatrix.from_dense(x) if sparse else x
    first, second = (conv.lin.weight.detach() for conv in model.convs)
    keep = torch.rand(2 * PAIRS) < 0.5
    total = sg.macs(model, graph, features, edge_mask=keep, skip_zeros=True).total
    met = int(((x != 0).float() @ (first != 0).float().t()).sum())
    rest = NODES * int(second.count_nonzero()) + (int(keep.sum()) + NODES) * (16 + 5)
    dense = NODES * int(first.count_nonzero()) + rest
    assert total.executed_dense_features == dense
    assert total.executed == (met + rest if sparse else dense)
    report = sg.compile(model, graph, features, edge_mask=keep, tune=False).report()
    assert report.macs_kept == total
    assert report.fewer_macs() > 1.0


MODELS: dict[str, tuple[Any, int, dict[str, Any]]] = {
    "gcn": (pyg.GCN, 16, {}),
    "gcn batch norm": (pyg.GCN, 16, {"norm": "batch_norm", "jk": "cat"}),
    "gin narrows": (pyg.GIN, 16, {}),
    "gin widens": (pyg.GIN, 32, {}),
    "sage narrows": (pyg.GraphSAGE, 16, {}),
    "sage widens": (pyg.GraphSAGE, 32, {}),
    "sage max": (pyg.GraphSAGE, 32, {"aggr": "max"}),
    "sage projected": (pyg.GraphSAGE, 16, {"project": True, "normalize": True}),
    "gat": (pyg.GAT, 16, {"heads": 4}),
    "gat v2": (pyg.GAT, 16, {"heads": 4, "v2": True, "residual": True}),
}


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_pytorchs_counter_agrees_with_the_model(name: str, sparse: bool) -> None:
    graph, x = setting()
    kind, hidden, options = MODELS[name]
    if sparse and name in ("sage max", "sage projected"):
        pytest.skip("the layer takes dense features alone")
    features = sg.SparseMatrix.from_dense(x) if sparse else x
    model = sg.nn.convert(kind(FEATURES, hidden, 2, 7, **options).eval())
    table = sg.macs(model, graph, features)
    assert table.uncounted == ()
    with torch.no_grad():
        model(features, graph)
        with FlopCounterMode(display=False) as counter:
            model(features, graph)
    taken = 0
    if name == "gat" and sparse:  # the layer takes its first scores from x (W^T a)
        outputs = 2 * options["heads"]
        nonzeros = int(x.count_nonzero())
        taken = outputs * (FEATURES * hidden + nonzeros) - outputs * NODES * hidden
    assert counter.get_total_flops() == 2 * (table.total.executed + taken)


def assert_counted(fast: CompiledModel) -> None:
    macs, _ = fast.report().counted()
    with FlopCounterMode(display=False) as counter:
        fast()
    assert counter.get_total_flops() == 2 * macs.executed


@pytest.mark.parametrize("share", [0.0, 0.9])
@pytest.mark.parametrize("density", [0.05, 0.9])
@pytest.mark.parametrize("name", MODELS)
def test_pytorchs_counter_agrees_with_the_program(name: str, density: float, share: float) -> None:
    graph, _ = setting()
    x = torch.rand(NODES, FEATURES) * (torch.rand(NODES, FEATURES) < density)
    kind, hidden, options = MODELS[name]
    model = kind(FEATURES, hidden, 2, 7, **options).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.mul_(torch.rand(parameter.shape) >= share)
    keep = torch.rand(graph.num_edges) < 0.7
    fast = sg.compile(model, graph, x, edge_mask=keep, tune=False)
    assert fast.report().plan == "compiled"
    assert_counted(fast)
    part = sg.compile(model, graph, x, edge_mask=keep, nodes=torch.arange(5), tune=False)
    assert_counted(part)


def test_a_module_that_is_not_looked_into_is_named() -> None:
    graph, x = setting()
    table = sg.macs(pyg.GCN(FEATURES, 16, 2, 7, norm="layer_norm"), graph, x)
    assert table.uncounted == ("norms.0",)
    assert "not counted: norms.0" in str(table)


class Branching(nn.Module):
    """Reads the values of its features."""

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


def test_bad_input_is_one_sentence() -> None:
    graph, x = setting()
    with pytest.raises(ValueError, match="model must be one that can be followed, but its forward"):
        sg.macs(Branching(), graph, x)
    with pytest.raises(ValueError, match="convention must be 'ugs' or 'gebt', got 'mine'"):
        sg.macs(pyg.GCN(FEATURES, 16, 2, 7), graph, x, convention="mine")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"model must be a torch\.nn\.Module, got str"):
        sg.macs("GCN", graph, x)  # type: ignore[arg-type]
