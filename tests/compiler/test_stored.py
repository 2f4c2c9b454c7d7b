"""Features that stay: what depends on them and the graph alone is computed once."""

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
from sparsegnn.compiler.commute import hoisted, joined_sums
from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.graph_ops import Aggregate
from sparsegnn.compiler.network import Network
from sparsegnn.compiler.row_ops import Activation, Add, Bias, Linear
from sparsegnn.compiler.stored import stored_features
from sparsegnn.compiler.timing import Timing


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    length=st.integers(1, 12),
    sparse=st.booleans(),
    zeros=st.sampled_from([0.0, 0.7]),
)
def test_networks_that_start_from_stored_values(
    seed: int, length: int, sparse: bool, zeros: float
) -> None:
    network = random_network(seed, 9, 6, length, 0.3).without_unused()
    x = features(seed, 6, zeros)
    expected = run(network, x)
    assert close(run(hoisted(network), x), expected)
    assert close(run(joined_sums(network), x), expected)
    stored = stored_features(network, sg.SparseMatrix.from_dense(x) if sparse else x)
    if stored is None:
        return
    values = stored.x if isinstance(stored.x, Tensor) else stored.x.to_dense()
    assert values.shape == (9, stored.network.input_width)
    assert not values.is_inference()
    assert close(run(stored.network, values), expected)


def two_hops() -> tuple[Network, CsrMatrix]:
    matrix = CsrMatrix.from_dense(torch.tensor([[0.0, 2.0], [1.0, 1.0]], dtype=torch.float64))
    network = Network(3)
    value = 0
    for _ in range(2):
        value = network.add(Linear((value,), weight=torch.rand(3, 3, dtype=torch.float64)))
        value = network.add(Aggregate((value,), matrix=matrix))
    network.output = network.add(Activation((value,), name="relu"))
    return network, matrix


def test_hops_between_linear_maps_are_stored_together() -> None:
    network, matrix = two_hops()
    x = torch.rand(2, 3, dtype=torch.float64)
    stored = stored_features(network, x)
    assert stored is not None and isinstance(stored.x, Tensor)
    a = torch.tensor([[0.0, 2.0], [1.0, 1.0]], dtype=torch.float64)
    assert torch.allclose(stored.x, a @ a @ x)
    kinds = [type(operation).__name__ for operation in stored.network.operations.values()]
    assert kinds == ["Linear", "Linear", "Activation"]
    assert matrix.nnz == 3


def test_a_sum_of_linear_maps_of_one_value_is_one() -> None:
    network = Network(3)
    first = network.add(Linear((0,), weight=torch.ones(2, 3)))
    shifted = network.add(Bias((first,), bias=torch.ones(2)))
    second = network.add(Linear((0,), weight=torch.ones(2, 3)))
    network.output = network.add(Add((shifted, second)))
    joined = joined_sums(network)
    kinds = [type(operation).__name__ for operation in joined.operations.values()]
    assert kinds == ["Linear", "Bias"]
    assert torch.equal(run(joined, torch.ones(1, 3)), torch.full((1, 2), 7.0))


@pytest.mark.parametrize("density", [0.02, 0.3, 1.0])
@pytest.mark.parametrize("name", BASIC)
def test_models_of_pyg(name: str, density: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variants, "_estimated", take_the_variant)
    torch.manual_seed(0)
    kind, options = BASIC[name]
    model = pruned(kind(20, 16, 2, 7, **options), 0.5)
    edges, x = setting(density=density)
    keep = torch.rand(edges.shape[1]) < 0.6
    for given_x in (x, sg.SparseMatrix.from_dense(x)):
        fast = compiled(model, edges, given_x, fixed_features=True, edge_mask=keep)
        expected = model(x, edges[:, keep]).detach()
        assert torch.allclose(fast(), expected, rtol=1e-9, atol=1e-11)
        assert torch.equal(fast(given_x), fast())
    stores = not name.startswith("gat") and name != "sage projected"
    assert fast.report().variants[0].kept == stores


def take_the_variant(name: str, variant: Any, plain: Any, device: Any) -> Any:
    """Whatever it is estimated to cost."""
    return variants._chosen(name, variant, plain, "for the test", True)


@pytest.mark.parametrize("kind", [pyg.GCN, pyg.GIN, pyg.GraphSAGE])
@pytest.mark.parametrize("reorder", [None, "rcm"])
def test_some_nodes_and_another_order(
    kind: Any, reorder: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(variants, "_estimated", take_the_variant)
    torch.manual_seed(0)
    model, nodes = pruned(kind(20, 16, 2, 7), 0.5), torch.tensor([17, 3, 17])
    edges, x = setting()
    fast = compiled(model, edges, x, fixed_features=True, nodes=nodes, reorder=reorder)
    assert torch.allclose(fast(), model(x, edges).detach()[nodes], rtol=1e-9, atol=1e-11)
    assert fast.report().layers[0].nodes[0] < 20
    assert fast.report().layers[0].edges == 0


@pytest.mark.parametrize("make", [Residual, Deep])
def test_nothing_to_store_before_the_first_weight(make: Any) -> None:
    torch.manual_seed(0)
    model = make().double().eval()
    edges, x = setting()
    fast = compiled(model, edges, x, fixed_features=True)
    assert torch.allclose(fast(), model(x, edges).detach(), atol=1e-11)
    (variant,) = fast.report().variants
    assert not variant.kept and "a weight is the first to read them" in str(fast.report())


@pytest.mark.parametrize("faster", [True, False])
def test_stored_values_are_kept_when_they_are_faster(
    faster: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def times(functions: dict[str, object], **_: object) -> dict[str, Timing]:
        ms = {"variant": 1.0 if faster else 2.0, "plain": 1.5}
        return {name: Timing(ms[name], 1.0, 1.0, 3, 1.0) for name in functions}

    monkeypatch.setattr(variants, "comparable", times)
    torch.manual_seed(0)
    edges, x = setting()
    model = pruned(pyg.GraphSAGE(20, 16, 2, 7), 0.5)
    fast = sg.compile(model, edges, x, fixed_features=True)
    assert torch.allclose(fast(), model(x, edges).detach(), atol=1e-11)
    (variant,) = fast.report().variants
    assert variant.kept == faster and variant.feature_bytes > variant.feature_bytes_without
    assert f"{variant.feature_bytes} bytes of features with it" in str(fast.report())


def test_other_features_are_refused() -> None:
    edges, x = setting()
    for model in (pyg.GCN(20, 8, 2, 3), pyg.GAT(20, 8, 2, 3), Branching()):
        fast = sg.compile(model.double(), edges, x, fixed_features=True, tune=False)
        assert torch.equal(fast(x), fast())
        for other in (x * 2, sg.SparseMatrix.from_dense(x)):
            with pytest.raises(ValueError, match="x must be left out, got other") as caught:
                fast(other)
            assert "\n" not in str(caught.value)


def test_tracing_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variants, "_estimated", take_the_variant)
    torch.manual_seed(0)
    for density in (0.02, 1.0):
        edges, x = setting(density=density)
        fast = compiled(pruned(pyg.GraphSAGE(20, 16, 2, 7), 0.5), edges, x, fixed_features=True)
        expected = fast()
        torch._dynamo.reset()
        traced = torch.compile(fast, fullgraph=True, backend="aot_eager")
        assert torch.allclose(traced(), expected, atol=1e-12)
        assert torch.allclose(torch.export.export(fast, ()).module()(), expected, atol=1e-12)
        fast.save(tmp_path / "fast.program")
        again = CompiledModel.load(tmp_path / "fast.program")
        assert torch.equal(again(), expected) and again.report() == fast.report()
        with pytest.raises(ValueError, match="fixed_features=True"):
            again(x)


class Convolutions(nn.Module):
    """Nothing but linear operations: all of their hops can be stored."""

    def __init__(self) -> None:
        super().__init__()
        widths = 20, 6, 6
        self.convs = nn.ModuleList(sg.nn.GCNConv(width, 6, bias=False) for width in widths)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        for conv in self.convs:
            x = conv(x, edge_index)
        return x


def test_simple_convolutions_store_all_hops() -> None:
    torch.manual_seed(0)
    edges, x = setting(density=1.0)
    model = Convolutions().double().eval()
    fast = compiled(model, edges, x, fixed_features=True)
    assert torch.allclose(fast(), model(x, edges).detach(), atol=1e-12)
    assert fast.report().variants[0].kept
    assert all(layer.edges == 0 for layer in fast.report().layers)
