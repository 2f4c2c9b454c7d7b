"""16-bit storage: close to the model, float32 outside, and shipped only where it is the fastest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch_geometric.nn as pyg
from torch import Tensor, nn

import sparsegnn as sg
from sparsegnn.compiler import CompiledModel, pipeline, shipping
from sparsegnn.compiler.program import Program
from sparsegnn.compiler.timing import Timing

NODES = 60
KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "gcn": (pyg.GCN, {}),
    "gin": (pyg.GIN, {}),
    "sage": (pyg.GraphSAGE, {}),
    "sage max": (pyg.GraphSAGE, {"aggr": "max"}),
    "gat": (pyg.GAT, {"heads": 4}),
    "gat mean of heads": (pyg.GAT, {"heads": 4, "concat": False}),
    "gat v2": (pyg.GAT, {"heads": 4, "v2": True}),
    "gat residual": (pyg.GAT, {"heads": 2, "residual": True}),
    "batch norm": (pyg.GCN, {"norm": "batch_norm", "act_first": True}),
    "layer norm": (pyg.GCN, {"norm": "layer_norm"}),
    "jk cat": (pyg.GCN, {"jk": "cat"}),
    "jk max": (pyg.GraphSAGE, {"jk": "max"}),
    "elu": (pyg.GCN, {"act": "elu"}),
}


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(32, 48), nn.Linear(48, 5)
        self.convs = nn.ModuleList([pyg.GCNConv(48, 48), pyg.GENConv(48, 48)])

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        h = self.first(x)
        for conv in self.convs:
            h = h + conv(h, edge_index).relu() * 0.5
        return self.last(h)


def setting(density: float) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(0)
    edges = torch.randint(0, NODES, (2, 300), generator=g)
    edges = edges[:, edges[0] != edges[1]]
    x = torch.rand(NODES, 32, generator=g) - 0.3
    return edges, x * (torch.rand(x.shape, generator=g) < density)


def made(name: str) -> nn.Module:
    torch.manual_seed(0)
    if name == "residual":
        return Residual().eval()
    kind, options = KINDS[name]
    model: nn.Module = kind(32, 48, 2, 5, **options)
    return model.eval()


@pytest.mark.parametrize("density", [0.05, 1.0])
@pytest.mark.parametrize("name", [*KINDS, "residual"])
def test_results_are_close_and_float32(name: str, density: float) -> None:
    edges, x = setting(density)
    model = made(name)
    fast = sg.compile(model, edges, x, tune=False, precision="bf16")
    report = fast.report()
    assert report.precision == "bf16" and report.plan == "compiled", report.reason
    expected = model(x, edges).detach()
    for out, wanted in ((fast(), expected), (fast(x * 2), model(x * 2, edges).detach())):
        assert out.dtype == torch.float32
        assert float((out - wanted).abs().max() / wanted.abs().max()) < 0.05
    assert report.relative_error == pytest.approx(
        float((fast() - expected).abs().max() / expected.abs().max()), rel=1e-2, abs=1e-4
    )
    same = (fast().argmax(1) == expected.argmax(1)).double().mean()
    assert report.agreement == pytest.approx(float(same)) and report.agreement > 0.8
    assert "bf16 precision" in str(report)


def test_features_and_weights_are_stored_in_16_bits() -> None:
    edges, x = setting(1.0)
    fast = sg.compile(made("gcn"), edges, x, tune=False, precision="bf16")
    full = sg.compile(made("gcn"), edges, x, tune=False)
    program = fast.program
    assert isinstance(program, Program)
    assert program.dense_features.dtype == torch.bfloat16  # type: ignore[union-attr]
    assert full.report().precision == "full" and full.report().relative_error < 1e-5
    assert fast.report().relative_error > 1e-5


@pytest.mark.parametrize("density", [0.05, 1.0])
@pytest.mark.parametrize("name", ["gcn", "gat", "sage", "residual"])
def test_every_form_of_every_layer(
    name: str, density: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each candidate in turn, whatever it is expected to cost."""
    edges, x = setting(density)
    model = made(name)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.shape == (48, 48):
                weight[16:32] = 0
                weight[:, :16] = 0
    expected = model(x, edges).detach()
    for turn in range(12):
        drawn = torch.Generator().manual_seed(turn)
        monkeypatch.setattr(
            "sparsegnn.compiler.planner.estimated_ms",
            lambda *_, drawn=drawn: float(torch.rand((), generator=drawn)),
        )
        fast = sg.compile(model, edges, x, tune=False, precision="bf16")
        error = float((fast() - expected).abs().max() / expected.abs().max())
        assert error < 0.05, [layer.chosen for layer in fast.report().layers]


def timings(monkeypatch: pytest.MonkeyPatch, **ms: float) -> None:
    def fake(runs: dict[str, object], **_: object) -> dict[str, Timing]:
        found = {name: ms.get(name, 9.0) for name in runs}
        return {name: Timing(t, t, t, 3, 1.0) for name, t in found.items()}

    monkeypatch.setattr(shipping, "comparable", fake)


def test_it_is_shipped_only_where_it_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    edges, x = setting(1.0)
    timings(monkeypatch, compiled=2.0, rounded=1.0)
    assert sg.compile(made("gcn"), edges, x, precision="bf16").report().precision == "bf16"
    timings(monkeypatch, compiled=1.0, rounded=2.0)
    report = sg.compile(made("gcn"), edges, x, precision="bf16").report()
    assert report.precision == "full" and report.relative_error < 1e-5
    assert "bf16 storage would take 2.000 ms" in report.reason
    timings(monkeypatch, compiled=3.0, rounded=2.0, masked=1.0)
    assert sg.compile(made("gcn"), edges, x, precision="bf16").report().plan == "dense"


def test_a_result_that_is_too_far_off_is_not_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "BF16_TOLERANCE", 0.0)
    edges, x = setting(1.0)
    report = sg.compile(made("gcn"), edges, x, tune=False, precision="bf16").report()
    assert report.precision == "full" and "bf16 storage would differ by" in report.reason


def test_programs_are_saved_and_traced(tmp_path: Path) -> None:
    edges, x = setting(1.0)
    fast = sg.compile(made("gat"), edges, x, tune=False, precision="bf16")
    fast.save(tmp_path / "fast.program")
    again = CompiledModel.load(tmp_path / "fast.program")
    assert torch.equal(again(), fast()) and torch.equal(again(x * 2), fast(x * 2))
    torch._dynamo.reset()
    traced = torch.compile(fast, fullgraph=True, backend="aot_eager")
    assert torch.allclose(traced(), fast(), atol=1e-2)
    assert torch.allclose(torch.export.export(fast, ()).module()(), fast(), atol=1e-2)


def test_wrong_precisions_have_their_sentence() -> None:
    edges, x = setting(1.0)
    with pytest.raises(ValueError, match="precision must be 'full' or 'bf16', got 'fp8'"):
        sg.compile(made("gcn"), edges, x, precision="fp8")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="precision must be 'full' for a float64 model"):
        sg.compile(made("gcn").double(), edges, x.double(), precision="bf16")
