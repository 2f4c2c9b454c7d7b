"""Nodes in another order inside the program: the caller sees nothing of it but the time."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch_geometric.nn as pyg
from hypothesis import given, settings
from hypothesis import strategies as st
from interpret import random_network, run
from test_compiler_models import BASIC, Deep, Residual, compiled, pruned, setting
from test_compiler_network import close, features
from test_requested_nodes import executed

import sparsegnn as sg
from sparsegnn.compiler import CompiledModel, variants
from sparsegnn.compiler.reorder import ordering
from sparsegnn.compiler.restrict import restricted
from sparsegnn.compiler.timing import Timing

pytestmark = pytest.mark.usefixtures("planned_by_macs")


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    length=st.integers(1, 12),
    requested=st.none() | st.lists(st.integers(0, 8), max_size=10),
)
def test_networks_in_another_order(seed: int, length: int, requested: list[int] | None) -> None:
    network = random_network(seed, 9, 6, length, 0.3).without_unused()
    order = torch.randperm(9, generator=torch.Generator().manual_seed(seed))
    x = features(seed, 6, 0.0)
    nodes = None if requested is None else torch.tensor(requested, dtype=torch.int64)
    expected = run(network, x) if nodes is None else run(network, x)[nodes]
    part = restricted(network, 9, nodes, order)
    assert part.features is not None
    assert close(run(part.network, x[part.features]), expected)
    assert close(executed(part, x), expected)
    for operation in part.network.operations.values():
        matrix = getattr(operation, "matrix", None)
        if matrix is not None and matrix.nnz > 0:
            rows = torch.repeat_interleave(torch.arange(matrix.shape[0]), matrix.rowptr.diff())
            assert bool(((rows * 9 + matrix.col).diff() > 0).all())


@pytest.mark.parametrize("method", ["degree", "rcm"])
@pytest.mark.parametrize("name", BASIC)
def test_models_of_pyg(name: str, method: str) -> None:
    torch.manual_seed(0)
    kind, options = BASIC[name]
    model = pruned(kind(20, 16, 2, 7, **options), 0.5)
    edges, x = setting()
    fast = compiled(model, edges, x, reorder=method)
    for given_x, other in ((x, None), (x * 2, x * 2)):
        expected = model(given_x, edges).detach()
        assert torch.allclose(fast(other), expected, rtol=1e-9, atol=1e-11)
    (variant,) = fast.report().variants
    assert variant.name == f"order {method}" and variant.kept and variant.ms is None


@pytest.mark.parametrize("make", [Residual, Deep])
def test_residual_models_for_some_nodes(make: Any) -> None:
    torch.manual_seed(0)
    model = make().double().eval()
    edges, x = setting(density=1.0)
    nodes = torch.tensor([3, 33, 8, 3])
    fast = compiled(model, edges, x, nodes=nodes, reorder="rcm")
    assert torch.allclose(fast(), model(x, edges).detach()[nodes], atol=1e-11)


@pytest.mark.parametrize("faster", [True, False])
def test_an_order_is_kept_when_it_is_faster(faster: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def times(functions: dict[str, object], **_: object) -> dict[str, Timing]:
        ms = {"variant": 1.0 if faster else 2.0, "plain": 1.5}
        return {name: Timing(ms[name], 1.0, 1.0, 3, 1.0) for name in functions}

    monkeypatch.setattr(variants, "comparable", times)
    torch.manual_seed(0)
    edges, x = setting()
    model = pruned(pyg.GCN(20, 16, 2, 7), 0.5)
    fast = sg.compile(model, edges, x, reorder="degree")
    assert torch.allclose(fast(), model(x, edges).detach(), atol=1e-11)
    (variant,) = fast.report().variants
    assert variant.kept == faster and variant.ms_without == 1.5
    line = "kept, as it is faster, 1.000 ms" if faster else "not kept, as it is no faster, 2.000 ms"
    assert f"order degree: {line} with it, 1.500 ms without" in str(fast.report())


def test_measured_order_is_exact() -> None:
    torch.manual_seed(0)
    edges, x = setting()
    model = pruned(pyg.GraphSAGE(20, 16, 2, 7), 0.5)
    fast = sg.compile(model, edges, x, reorder="rcm")
    assert torch.allclose(fast(), model(x, edges).detach(), atol=1e-11)
    assert fast.report().variants[0].ms is not None


def test_orders() -> None:
    shuffled = torch.randperm(50, generator=torch.Generator().manual_seed(0))
    path = sg.Graph.from_edge_index(torch.stack([shuffled[:-1], shuffled[1:]]), num_nodes=50)
    order = ordering(path, "rcm")
    place = torch.empty(50, dtype=torch.int64)
    place[order] = torch.arange(50)
    source, target = place[path.edge_index]
    assert int((source - target).abs().max()) == 1
    edges = torch.tensor([[0, 1, 2, 3, 4, 4], [3, 3, 3, 1, 1, 2]])
    graph = sg.Graph.from_edge_index(edges, num_nodes=6)
    assert ordering(graph, "degree").tolist() == [3, 1, 2, 4, 0, 5]
    for method in ("degree", "rcm"):
        empty = sg.Graph.from_edge_index(torch.zeros(2, 0, dtype=torch.int64), num_nodes=0)
        assert ordering(empty, method).tolist() == []
        assert ordering(graph, method).sort().values.tolist() == list(range(6))


def test_metis_puts_a_part_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def part_graph(parts: int, adjacency: list[Any]) -> tuple[int, list[int]]:
        assert parts == 1 and [list(n) for n in adjacency] == [[1], [0, 2], [1], []]
        return 0, [1, 0, 1, 0]

    monkeypatch.setitem(sys.modules, "pymetis", SimpleNamespace(part_graph=part_graph))
    edges = torch.tensor([[0, 1, 1, 2, 2], [1, 0, 2, 1, 2]])
    graph = sg.Graph.from_edge_index(edges, num_nodes=4)
    assert ordering(graph, "metis").tolist() == [1, 3, 0, 2]


def test_tracing_and_files(tmp_path: Path) -> None:
    torch.manual_seed(0)
    edges, x = setting(density=1.0)
    fast = compiled(pruned(pyg.GAT(20, 16, 2, 7, heads=2), 0.5), edges, x, reorder="rcm")
    expected = fast()
    torch._dynamo.reset()
    traced = torch.compile(fast, fullgraph=True, backend="aot_eager")
    assert torch.allclose(traced(), expected, atol=1e-12)
    assert torch.allclose(traced(x * 2), fast(x * 2), atol=1e-12)
    assert torch.allclose(torch.export.export(fast, ()).module()(), expected, atol=1e-12)
    fast.save(tmp_path / "fast.program")
    again = CompiledModel.load(tmp_path / "fast.program")
    assert torch.equal(again(), expected) and again.report() == fast.report()


def test_unknown_orders_have_their_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    edges, x = setting()
    model = pyg.GCN(20, 8, 2, 3).double()
    with pytest.raises(ValueError, match="must be 'degree', 'rcm' or 'metis', got 'random'"):
        sg.compile(model, edges, x, reorder="random")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pymetis, which is not installed"):
        sg.compile(model, edges, x, reorder="metis")
