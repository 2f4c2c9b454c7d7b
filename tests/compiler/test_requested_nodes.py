"""Compiled for some nodes: the same rows, and no row computed in vain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch_geometric.nn as pyg
from hypothesis import given, settings
from hypothesis import strategies as st
from interpret import random_network, run
from test_compiler_models import (
    BASIC,
    NODES,
    Branching,
    Deep,
    Residual,
    compiled,
    pruned,
    setting,
)
from test_compiler_network import close, features
from torch import Tensor, nn

import sparsegnn as sg
from sparsegnn.compiler import CompiledModel, variants
from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.network import INPUT
from sparsegnn.compiler.nodes import needed_nodes
from sparsegnn.compiler.planner import Forms, Planner, run_steps
from sparsegnn.compiler.restrict import Restricted, restricted
from sparsegnn.compiler.sizes import Sizes
from sparsegnn.compiler.timing import Timing
from sparsegnn.compiler.units import form_units


def executed(part: Restricted, x: Tensor) -> Tensor:
    """The result of the units that are planned for a restricted network."""
    given_rows = x if part.features is None else x[part.features]
    planner = Planner(Forms(None, given_rows), Sizes(9, None, part.rows), tune=False)
    values = {INPUT: given_rows}
    for choice in planner.plan(form_units(part.network)):
        values[choice.output] = run_steps(choice.chosen, [values[i] for i in choice.reads])
    return values[part.network.output]


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    length=st.integers(1, 12),
    requested=st.lists(st.integers(0, 8), max_size=10),
    sparse_features=st.booleans(),
)
def test_rows_of_a_network(
    seed: int, length: int, requested: list[int], sparse_features: bool
) -> None:
    network = random_network(seed, 9, 6, length, 0.3).without_unused()
    x, nodes = features(seed, 6, 0.0), torch.tensor(requested, dtype=torch.int64)
    expected = run(network, x)[nodes]
    part = restricted(network, 9, nodes, sparse_features=sparse_features)
    assert close(run(part.network, x if part.features is None else x[part.features]), expected)
    assert close(executed(part, x), expected)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), length=st.integers(1, 8), node=st.integers(0, 8))
def test_rows_that_are_not_needed_have_no_influence(seed: int, length: int, node: int) -> None:
    network = random_network(seed, 9, 6, length, 0.3).without_unused()
    wanted = torch.zeros(9, dtype=torch.bool)
    wanted[node] = True
    needed = needed_nodes(network, wanted)[INPUT]
    x = features(seed, 6, 0.0)
    other = torch.where(needed[:, None], x, x + 1.0)
    assert torch.equal(run(network, x)[node], run(network, other)[node])


def test_selection_of_a_matrix() -> None:
    g = torch.Generator().manual_seed(0)
    dense = torch.rand(6, 5, generator=g) * (torch.rand(6, 5, generator=g) < 0.5)
    matrix = CsrMatrix.from_dense(dense)
    matrix.row_scale = torch.arange(6.0)
    rows = torch.tensor([4, 0, 3])
    columns = matrix.columns_of(torch.zeros(6).bool().index_fill(0, rows, True)).nonzero()[:, 0]
    for order in (columns, columns.flip(0)):
        small = matrix.select(rows, order)
        again = CsrMatrix.from_dense(dense[rows][:, order])
        assert torch.equal(small.rowptr, again.rowptr) and torch.equal(small.col, again.col)
        assert torch.equal(small.value, again.value) and small.shape == (3, len(order))
        assert small.row_scale is not None and small.row_scale.tolist() == [4.0, 0.0, 3.0]


REQUESTS = {
    "one": torch.tensor([17]),
    "some": torch.tensor([30, 2, 11, 2, 39]),
    "mask": torch.arange(NODES) % 5 == 0,
    "none": torch.tensor([], dtype=torch.int64),
    "most": torch.arange(NODES - 2).flip(0),
}
MODELS = {**BASIC, "graph norm": (pyg.GCN, {"norm": "graph_norm"})}


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("request_name", REQUESTS)
@pytest.mark.parametrize("name", MODELS)
def test_models_of_pyg(name: str, request_name: str, layers: int) -> None:
    torch.manual_seed(0)
    kind, options = MODELS[name]
    model = pruned(kind(20, 16, layers, 7, **options), 0.5)
    edges, x = setting(density=0.2 if layers == 1 else 1.0)
    nodes = REQUESTS[request_name]
    keep = torch.rand(edges.shape[1]) < 0.6
    fast = compiled(model, edges, x, nodes=nodes, edge_mask=keep)
    for given_x, other in ((x, None), (x * 2, x * 2)):
        expected = model(given_x, edges[:, keep]).detach()[nodes]
        assert torch.allclose(fast(other), expected, rtol=1e-9, atol=1e-11)
    assert fast.report().nodes_returned == len(torch.arange(NODES)[nodes])


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    kind=st.sampled_from([pyg.GCN, pyg.GIN, pyg.GraphSAGE, pyg.GAT]),
    count=st.integers(0, 20),
    density=st.sampled_from([0.1, 0.9]),
    sparse=st.booleans(),
)
def test_random_requests(seed: int, kind: Any, count: int, density: float, sparse: bool) -> None:
    torch.manual_seed(seed)
    model = pruned(kind(20, 34, 2, 6), 0.5, seed)
    edges, x = setting(seed, density)
    nodes = torch.randint(0, NODES, (count,))
    fast = compiled(model, edges, sg.SparseMatrix.from_dense(x) if sparse else x, nodes=nodes)
    assert torch.allclose(fast(), model(x, edges).detach()[nodes], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("make", [Residual, Deep])
def test_residual_models(make: Any) -> None:
    torch.manual_seed(0)
    model = make().double().eval()
    edges, x = setting(density=1.0)
    nodes = torch.tensor([3, 33, 8])
    fast = compiled(model, edges, x, nodes=nodes)
    assert torch.allclose(fast(), model(x, edges).detach()[nodes], atol=1e-11)
    assert fast.report().layers[-1].nodes[-1] == 3


def test_every_layer_computes_its_neighbourhood_alone() -> None:
    torch.manual_seed(0)
    path = torch.stack([torch.arange(NODES - 1), torch.arange(1, NODES)])
    x = torch.rand(NODES, 6, dtype=torch.float64)
    model = pyg.GCN(6, 5, 3, 2).double().eval()
    fast = compiled(model, path, x, nodes=torch.tensor([20]))
    layers = fast.report().layers
    assert [layer.nodes for layer in layers] == [(4, 3), (3, 2), (2, 1)]
    assert [layer.edges for layer in layers] == [6, 4, 2]
    assert "4 -> 3 nodes, 6 edges" in str(fast.report())
    assert torch.allclose(fast(), model(x, path).detach()[[20]], atol=1e-12)


@pytest.mark.parametrize("nodes", [torch.arange(NODES), torch.ones(NODES, dtype=torch.bool)])
def test_all_nodes_change_nothing(nodes: Tensor) -> None:
    torch.manual_seed(0)
    edges, x = setting()
    model = pruned(pyg.GraphSAGE(20, 16, 2, 7), 0.5)
    plain, asked = compiled(model, edges, x), compiled(model, edges, x, nodes=nodes)
    assert plain.report() == asked.report()
    assert torch.equal(plain(), asked())


class LogProbabilities(nn.Module):
    """What follows the last layer looks at single rows, in modules and functions."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = pyg.GCNConv(20, 8), pyg.GCNConv(8, 4)
        self.norm, self.layer_norm = nn.LayerNorm(8), pyg.LayerNorm(8, mode="node")

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        h = self.layer_norm(self.norm(self.first(x, edge_index))).abs()
        h = nn.functional.normalize(h) * h
        return nn.functional.log_softmax(self.second(h, edge_index), dim=-1)


class Centred(nn.Module):
    """What follows the last layer looks at all rows."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = pyg.GCNConv(20, 8), pyg.PairNorm()

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.norm(self.first(x, edge_index)).softmax(dim=0)


@pytest.mark.parametrize(("make", "computed"), [(LogProbabilities, 1), (Centred, NODES)])
def test_functions_of_rows_and_of_all_nodes(make: Any, computed: int) -> None:
    torch.manual_seed(0)
    edges, x = setting(density=1.0)
    model = make().double().eval()
    fast = compiled(model, edges, x, nodes=torch.tensor([5]))
    assert torch.allclose(fast(), model(x, edges).detach()[[5]], atol=1e-12)
    assert max(layer.nodes[-1] for layer in fast.report().layers[-2:]) == computed


def test_a_model_that_cannot_be_followed_gives_the_same_rows() -> None:
    edges, x = setting()
    model, nodes = Branching().double(), torch.tensor([7, 1, 7])
    fast = sg.compile(model, edges, x, nodes=nodes)
    assert fast.report().plan == "dense" and fast.report().nodes_returned == 3
    assert torch.allclose(fast(), model(x, edges).detach()[nodes], rtol=0, atol=1e-14)


def test_measured_plans_are_exact() -> None:
    torch.manual_seed(0)
    edges, x = setting()
    model, nodes = pruned(pyg.GraphSAGE(20, 16, 2, 7), 0.5), torch.tensor([7, 1])
    fast = sg.compile(model, edges, x, nodes=nodes)
    assert torch.allclose(fast(), model(x, edges).detach()[nodes], atol=1e-12)


@pytest.mark.parametrize("faster", [True, False])
def test_nodes_are_left_out_where_that_is_faster(
    faster: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def times(functions: dict[str, object], **_: object) -> dict[str, Timing]:
        ms = {"variant": 1.0 if faster else 2.0, "plain": 1.5}
        return {name: Timing(ms[name], 1.0, 1.0, 3, 1.0) for name in functions}

    monkeypatch.setattr(variants, "comparable", times)
    torch.manual_seed(0)
    edges, x = setting()
    model, nodes = pruned(pyg.GraphSAGE(20, 16, 2, 7), 0.5), torch.tensor([7, 1])
    fast = sg.compile(model, edges, x, nodes=nodes, fixed_features=True)
    assert torch.allclose(fast(), model(x, edges).detach()[nodes], atol=1e-12)
    report = fast.report()
    assert report.variants[0].kept == faster
    assert (max(n for layer in report.layers for n in layer.nodes) < NODES) == faster


def test_rows_that_are_not_read_may_hold_anything() -> None:
    torch.manual_seed(0)
    path = torch.stack([torch.arange(NODES - 1), torch.arange(1, NODES)])
    x = torch.rand(NODES, 6, dtype=torch.float64)
    fast = compiled(pyg.GCN(6, 5, 2, 2).double(), path, x, nodes=torch.tensor([20]))
    other = x.clone()
    other[21:] = torch.nan
    assert torch.allclose(fast(other), fast(), atol=1e-14)
    other[20] = torch.nan
    with pytest.raises(ValueError, match="x must be finite"):
        fast(other)


@pytest.mark.parametrize("density", [0.02, 1.0])
@pytest.mark.parametrize("name", ["gcn", "sage", "gat", "gat v2", "gin"])
def test_tracing_and_files(name: str, density: float, tmp_path: Path) -> None:
    torch.manual_seed(0)
    kind, options = BASIC[name]
    edges, x = setting(0, density)
    model = pruned(kind(20, 16, 2, 7, **options), 0.5)
    fast = compiled(model, edges, x, nodes=torch.tensor([4, 31, 4]))
    expected = fast()
    torch._dynamo.reset()
    traced = torch.compile(fast, fullgraph=True, backend="aot_eager")
    assert torch.allclose(traced(), expected, atol=1e-12)
    if density == 1.0:
        assert torch.allclose(traced(x * 2), fast(x * 2), atol=1e-12)
    exported = torch.export.export(fast, ())
    assert torch.allclose(exported.module()(), expected, atol=1e-12)
    fast.save(tmp_path / "fast.program")
    again = CompiledModel.load(tmp_path / "fast.program")
    for other in (None, x * 2):
        assert torch.allclose(again(other), fast(other), rtol=0, atol=1e-14)
    assert again.report() == fast.report()


def test_wrong_nodes_have_their_sentence() -> None:
    edges, x = setting()
    model = pyg.GCN(20, 8, 2, 3).double()
    cases: list[tuple[Any, type[Exception], str]] = [
        ([1, 2], TypeError, "nodes must be int64 indices or a bool mask, got list"),
        (torch.tensor([1.0]), TypeError, "indices or a bool mask, got torch.float32"),
        (torch.tensor([3, 40]), ValueError, r"lie in \[0, 40\), got 40 at position 1"),
        (torch.tensor([-1]), ValueError, r"lie in \[0, 40\), got -1 at position 0"),
        (torch.tensor([[1]]), ValueError, r"nodes must have shape \[n\], got \[1, 1\]"),
        (torch.ones(39).bool(), ValueError, r"shape \[40\] as a mask, got \[39\]"),
    ]
    for nodes, error, sentence in cases:
        with pytest.raises(error, match=sentence) as caught:
            sg.compile(model, edges, x, nodes=nodes, tune=False)
        assert "\n" not in str(caught.value)
