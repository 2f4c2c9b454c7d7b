"""What is shipped: the fastest of the program, our layers and the model as it was given."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch_geometric.nn as pyg
from torch import Tensor, nn

import sparsegnn as sg
from sparsegnn.compiler import CompiledModel, shipping
from sparsegnn.compiler.dense import DenseProgram
from sparsegnn.compiler.program import Program
from sparsegnn.compiler.timing import Timing

EDGES = torch.tensor([[0, 1, 2, 3, 3], [1, 2, 3, 0, 1]])


def timing(ms: float) -> Timing:
    return Timing(ms, ms, ms, 3, 1.0)


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[list[str]]]:
    """Makes measurements come out as given, 9 ms where nothing is; returns what was measured."""

    def set_times(**ms: float) -> list[list[str]]:
        measured: list[list[str]] = []

        def fake(runs: dict[str, object], **_: object) -> dict[str, Timing]:
            measured.append(list(runs))
            return {name: timing(ms.get(name, 9.0)) for name in runs}

        monkeypatch.setattr(shipping, "comparable", fake)
        monkeypatch.setattr(shipping, "interleaved", fake)
        return measured

    return set_times


def compiled(model: nn.Module | None = None, **options: object) -> CompiledModel:
    torch.manual_seed(0)
    model = pyg.GCN(6, 8, 2, 3) if model is None else model
    return sg.compile(model, EDGES, torch.rand(4, 6), **options)  # type: ignore[arg-type]


def test_the_program_where_it_is_the_fastest(times: Callable[..., list[list[str]]]) -> None:
    measured = times(compiled=1.0, masked=2.0, given=1.2)
    fast = compiled()
    assert isinstance(fast.program, Program) and fast.report().plan == "compiled"
    assert measured[-1] == ["compiled", "masked", "given"]
    assert fast.report().given_ms == timing(1.2)


def test_our_layers_where_they_are_the_fastest(times: Callable[..., list[list[str]]]) -> None:
    times(compiled=2.0, masked=1.0, given=1.5)
    fast = compiled()
    assert isinstance(fast.program, DenseProgram)
    assert fast.report().reason == "the plan takes 2.000 ms, the dense model 1.000 ms"
    assert type(fast.program.model.convs[0]) is sg.nn.GCNConv


def test_the_model_as_given_where_it_is_the_fastest(times: Callable[..., list[list[str]]]) -> None:
    times(compiled=1.3, masked=1.2, given=1.0)
    torch.manual_seed(0)
    model, x = pyg.GCN(6, 8, 2, 3).eval(), torch.rand(4, 6)
    fast = sg.compile(model, EDGES, x)
    assert fast.report().plan == "dense" and "as it was given" in fast.report().reason
    assert type(fast.program.model.convs[0]) is pyg.GCNConv
    assert fast.program.model is not model
    assert fast.program.model.convs[0].lin.weight is not model.convs[0].lin.weight
    assert torch.allclose(fast(), model(x, EDGES).detach())
    assert torch.allclose(fast(x * 2), model(x * 2, EDGES).detach())
    sparse = sg.compile(model, EDGES, sg.SparseMatrix.from_dense(x))
    assert torch.allclose(sparse(), model(x, EDGES).detach())


def test_a_model_far_behind_is_called_once(times: Callable[..., list[list[str]]]) -> None:
    measured = times(compiled=1.0, masked=2.0, given=1.6)
    assert compiled().report().given_ms is None
    assert measured == [["given", "compiled"], ["compiled", "masked"]]


def test_nothing_converted_is_no_further_peer(times: Callable[..., list[list[str]]]) -> None:
    measured = times(compiled=1.0)
    compiled(sg.nn.GCN(6, 8, 2, 3))
    assert measured == [["compiled", "masked"]]


def test_close_calls_are_measured_again(times: Callable[..., list[list[str]]]) -> None:
    measured = times(compiled=1.0, masked=1.05)
    compiled(sg.nn.GCN(6, 8, 2, 3))
    assert measured == [["compiled", "masked"]] * 2


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = pyg.GCNConv(6, 3)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.conv(x, edge_index) if x.sum() > 0 else x[:, :3]


def test_a_model_that_cannot_be_followed_is_kept_in_its_faster_form(
    times: Callable[..., list[list[str]]],
) -> None:
    times(masked=1.0, given=2.0)
    model = Branching()
    ours = compiled(model)
    assert type(ours.program.model.conv) is sg.nn.GCNConv
    times(masked=2.0, given=1.0)
    theirs = compiled(model)
    assert type(theirs.program.model.conv) is pyg.GCNConv
    assert "as it was given" in theirs.report().reason
    assert torch.allclose(ours(), theirs(), atol=1e-6)
    times(masked=2.0, given=1.0)
    untuned = compiled(Branching(), tune=False)
    assert type(untuned.program.model.conv) is sg.nn.GCNConv


def test_a_kept_model_gives_its_own_tensor_and_no_gradient() -> None:
    class Same(nn.Module):
        def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
            return x if x.sum() > 0 else 2 * x

    x = torch.rand(4, 6)
    fast = sg.compile(Same(), EDGES, x, tune=False)
    assert fast.report().plan == "dense"
    out = fast()
    out += 1
    assert torch.equal(fast(), x)
    kept = compiled(Branching(), tune=False)()
    assert not kept.requires_grad and not kept.is_inference()


def test_unknown_modules_move_with_the_program() -> None:
    torch.manual_seed(0)
    steps = [
        (pyg.ClusterGCNConv(6, 8), "x, edge_index -> x"),
        (nn.LayerNorm(8), "x -> x"),
        (pyg.GCNConv(8, 3), "x, edge_index -> x"),
    ]
    model = pyg.Sequential("x, edge_index", steps).eval()
    fast = compiled(model, tune=False)
    modules = [type(module) for module in fast.modules()]
    assert pyg.ClusterGCNConv in modules and nn.LayerNorm in modules
    tensors = [*fast.parameters(), *fast.buffers()]
    assert any(torch.equal(tensor, EDGES) for tensor in tensors if tensor.shape == EDGES.shape)
    expected = fast().double()
    fast.double()
    assert all(t.dtype != torch.float32 for t in [*fast.parameters(), *fast.buffers()])
    assert torch.allclose(fast(), expected, atol=1e-5)
