"""Forms of a weight: compacted within its layer, in blocks, CSR; all of them compute the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch_geometric.nn as pyg
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import sparsegnn as sg
from sparsegnn.compiler import CompiledModel, costs, planner, shipping
from sparsegnn.compiler.candidates import (
    dense_input_candidates,
    sparse_input_candidates,
)
from sparsegnn.compiler.channel_steps import Place, Take
from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.epilogue import Epilogue
from sparsegnn.compiler.graph_ops import Aggregate
from sparsegnn.compiler.linear_steps import paying_block, stored_share
from sparsegnn.compiler.network import Network
from sparsegnn.compiler.planner import run_steps
from sparsegnn.compiler.row_ops import Activation, Add, Bias, Linear
from sparsegnn.compiler.sizes import Sizes
from sparsegnn.compiler.units import Unit, form_units

NODES = 12


def numbers(seed: int, *shape: int) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=g, dtype=torch.float64) - 0.4


def pattern(seed: int, rows: int, columns: int, kind: str, sparsity: float) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    if kind == "rows":
        return (torch.rand(rows, 1, generator=g) >= sparsity).expand(rows, columns)
    if kind == "columns":
        return (torch.rand(1, columns, generator=g) >= sparsity).expand(rows, columns)
    if kind == "slice":
        kept = torch.zeros(rows, columns, dtype=torch.bool)
        kept[rows // 4 : rows // 2, columns // 2 :] = True
        return kept
    if kind == "blocks":
        blocks = torch.rand(rows // 16, columns // 16, generator=g) >= sparsity
        return blocks.repeat_interleave(16, 0).repeat_interleave(16, 1)
    return torch.rand(rows, columns, generator=g) >= sparsity


def unit_of(weight: Tensor, order: str, epilogue: str) -> Unit:
    """A linear map, an aggregation before or after it or none, and what follows."""
    matrix = CsrMatrix.from_dense(
        (numbers(9, NODES, NODES) > 0).double() * numbers(8, NODES, NODES)
    )
    network = Network(weight.shape[1])
    value = 0
    if order == "before":
        value = network.add(Aggregate((value,), matrix=matrix))
    value = network.add(Linear((value,), weight=weight))
    if order == "after":
        value = network.add(Aggregate((value,), matrix=matrix))
    value = network.add(Bias((value,), bias=numbers(7, weight.shape[0])))
    if epilogue != "bias":
        value = network.add(Activation((value,), name=epilogue.split()[0]))
    if epilogue.endswith("residual"):
        other = network.add(Linear((0,), weight=numbers(6, *weight.shape)))
        value = network.add(Add((value, other)))
    network.output = value
    return next(unit for unit in form_units(network) if unit.output == value)


def all_close(results: list[Tensor]) -> bool:
    return all(
        torch.allclose(result.double(), results[0].double(), rtol=0, atol=1e-11)
        for result in results[1:]
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    shape=st.sampled_from([(16, 32), (32, 16), (64, 48), (7, 20), (1, 3), (96, 64)]),
    kind=st.sampled_from(["rows", "columns", "slice", "blocks", "scattered"]),
    sparsity=st.sampled_from([0.0, 0.5, 0.9, 1.0]),
    order=st.sampled_from(["none", "before", "after"]),
    epilogue=st.sampled_from(["bias", "relu", "elu", "relu residual", "tanh residual"]),
)
def test_every_form_computes_the_same(
    seed: int, shape: tuple[int, int], kind: str, sparsity: float, order: str, epilogue: str
) -> None:
    if kind == "blocks":
        shape = (shape[0] // 16 * 16 or 16, shape[1] // 16 * 16 or 16)
    weight = numbers(seed, *shape) * pattern(seed + 1, *shape, kind, sparsity)
    unit = unit_of(weight, order, epilogue)
    x = numbers(seed + 2, NODES, shape[1]) * (numbers(seed + 3, NODES, shape[1]) > 0.2)
    more = [numbers(seed + 4, NODES, shape[0])] * (unit.residual is not None)
    dense = [
        run_steps(candidate, [x, *more]) for candidate in dense_input_candidates(unit, Sizes(NODES))
    ]
    form = CsrMatrix.from_dense(x)
    sparse = [
        run_steps(candidate, [form, *more])
        for candidate in sparse_input_candidates(unit, Sizes(NODES, form))
    ]
    expected = x @ weight.t()
    if order == "none" and epilogue == "bias":
        assert all_close([expected + numbers(7, shape[0]), dense[0]])
    assert len(dense) >= 2 and all_close(dense + sparse)


def names(weight: Tensor, order: str = "none") -> list[str]:
    return [c.name for c in dense_input_candidates(unit_of(weight, order, "relu"), Sizes(NODES))]


def test_zeros_in_blocks_are_found() -> None:
    weight = numbers(0, 128, 64)
    assert paying_block(weight) is None
    weight[:, :32] = 0
    assert paying_block(weight) == 32
    weight[0, 0] = 1
    assert stored_share(weight, 32) == 5 / 8 and stored_share(weight, 16) == 17 / 32
    assert paying_block(weight) == 16
    weight = numbers(0, 128, 64)
    weight[64:] = 0
    assert paying_block(weight) == 64
    assert paying_block(numbers(0, 100, 64) * 0) is None
    assert "blocks of 16 x 16" in names(pattern(0, 32, 32, "blocks", 0.5).double())


def test_compacted_only_where_enough_goes() -> None:
    weight = numbers(0, 20, 20)
    weight[:2] = 0
    assert not any("compacted" in name for name in names(weight))
    weight[:, :8] = 0
    assert "compacted, dense weight" in names(weight)
    assert "compacted, transform first, dense weight" in names(weight, "after")
    assert not any("compacted" in name for name in names(weight * 0))


def test_channels_side_by_side_are_a_slice() -> None:
    x = numbers(0, 5, 10)
    view = Take(torch.arange(3, 7), 5).bind()(x)
    assert view.data_ptr() == x[:, 3:].data_ptr() and torch.equal(view, x[:, 3:7])
    index = torch.tensor([1, 4, 5])
    assert torch.equal(Take(index, 5).bind()(x), x[:, index])
    for kept in (torch.arange(3), index, torch.arange(0)):
        out = Place(kept, 7, 5, Epilogue(numbers(1, 7))).bind()(x[:, : len(kept)])
        expected = torch.zeros(5, 7, dtype=x.dtype).index_copy(1, kept, x[:, : len(kept)])
        assert torch.allclose(out, expected + numbers(1, 7))


class Skip(nn.Module):
    """Two layers share channels, each with weights for some of them only."""

    def __init__(self) -> None:
        super().__init__()
        self.start = nn.Linear(20, 64)
        self.first = pyg.GCNConv(64, 64)
        self.second = pyg.SAGEConv(64, 64)
        self.last = nn.Linear(64, 5)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        h = self.start(x)
        h = h + self.first(h, edge_index).relu()
        h = h + self.second(h, edge_index).relu()
        return self.last(h)


def pruned_skip(kind: str) -> nn.Module:
    torch.manual_seed(0)
    model = Skip().eval()
    with torch.no_grad():
        for index, weight in enumerate(p for p in model.parameters() if p.shape == (64, 64)):
            weight.mul_(pattern(index, 64, 64, kind, 0.8))
    return model


@pytest.fixture
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (planner, shipping):
        monkeypatch.setattr(module, "_ROUNDS", 3)
        monkeypatch.setattr(module, "_FILL_S", 0.0)


def ring() -> Tensor:
    nodes = torch.arange(40)
    return torch.stack([nodes, nodes.roll(1)])


@pytest.mark.parametrize("tune", [False, True])
@pytest.mark.parametrize("kind", ["rows", "columns", "blocks", "slice"])
def test_layers_that_share_channels_are_compacted(
    kind: str, tune: bool, few_rounds: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner, "_NEAR", 1e9)
    model, x = pruned_skip(kind), torch.rand(40, 20)
    fast = sg.compile(model, ring(), x, tune=tune)
    assert torch.allclose(fast(), model(x, ring()).detach(), rtol=0, atol=1e-4)
    offered = {c.name for layer in fast.report().layers for c in layer.candidates}
    wanted = "blocks of 16 x 16" if kind == "blocks" else "compacted"
    assert any(wanted in name for name in offered)


@pytest.mark.parametrize("form", ["compacted", "blocks", "CSR", "row dots"])
def test_programs_of_every_form_are_saved_and_traced(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def expected(steps: Any, *_: object) -> float:
        labels = " ".join(f"{step.kind} {type(step).__name__}" for step in steps)
        wanted = {"compacted": "channels", "blocks": "blocks"}.get(form, form)
        return 0.0 if wanted in labels else 1.0

    monkeypatch.setattr(planner, "estimated_ms", expected)
    model, x = pruned_skip("blocks" if form == "blocks" else "rows"), torch.rand(40, 20)
    fast = sg.compile(model, ring(), x, tune=False)
    chosen = " ".join(layer.chosen for layer in fast.report().layers)
    assert form in chosen
    fast.save(tmp_path / "fast.program")
    again = CompiledModel.load(tmp_path / "fast.program")
    assert torch.equal(again(), fast())
    torch._dynamo.reset()
    traced = torch.compile(fast, fullgraph=True, backend="aot_eager")
    assert torch.allclose(traced(), fast(), atol=1e-6)


def test_a_residual_of_sparse_features() -> None:
    torch.manual_seed(0)
    x = torch.rand(40, 6) * (torch.rand(40, 6) < 0.02)

    class Plus(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = pyg.GCNConv(6, 6)

        def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
            return x + self.conv(x, edge_index).relu()

    model = Plus().eval()
    for form in (x, sg.SparseMatrix.from_dense(x)):
        fast = sg.compile(model, ring(), form, tune=False)
        assert fast.report().plan == "compiled"
        assert torch.allclose(fast(), model(x, ring()).detach(), atol=1e-6)


def test_expected_times_grow_with_the_work_of_a_step() -> None:
    device = torch.device("cpu")
    few, many = (
        next(dense_input_candidates(unit_of(numbers(0, 64, 64), "none", "relu"), Sizes(nodes)))
        for nodes in (10**3, 10**6)
    )
    low, high = (costs.estimated_ms(c.steps, torch.float32, device) for c in (few, many))
    assert 0.0 <= low < high
    assert costs.estimated_ms(few.steps, torch.float32, device) == low
    for kind in costs._PROBES:
        rate = costs._rate(kind, torch.float32, device, torch.get_num_threads())
        assert rate.call >= 0.0 and rate.unit >= 0.0


def test_candidates_far_from_the_best_are_not_measured(
    few_rounds: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        planner,
        "estimated_ms",
        lambda steps, *_: 1.0 if any("CSR" in step.kind for step in steps) else 100.0,
    )
    fast = sg.compile(pruned_skip("rows"), ring(), torch.rand(40, 20))
    layers = [layer for layer in fast.report().layers if len(layer.candidates) > 1]
    measured: list[Any] = [c for layer in layers for c in layer.candidates if c.ms is not None]
    assert measured and all("CSR" in candidate.name for candidate in measured)
