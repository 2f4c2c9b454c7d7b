"""Top-k activations: sparse rows between layers, where that is faster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch_geometric.nn as pyg
from test_compiler_models import compiled, pruned, setting
from torch import Tensor, nn

import sparsegnn as sg
from sparsegnn.compiler import CompiledModel, planner
from sparsegnn.nn import MaxK


class Net(nn.Module):
    """Two layers with a top-k activation between them."""

    def __init__(self, conv: Any, k: int, by: Any = "value") -> None:
        super().__init__()
        self.first, self.second, self.act = conv(20, 12), conv(12, 5), MaxK(k, by)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.second(self.act(self.first(x, edge_index)), edge_index)


def gin(inputs: int, outputs: int) -> nn.Module:
    return pyg.GINConv(nn.Linear(inputs, outputs))


CONVS = {"gcn": pyg.GCNConv, "gin": gin, "sage": pyg.SAGEConv, "gat": pyg.GATConv}


@pytest.mark.parametrize("nodes", [None, torch.tensor([4, 30, 4])])
@pytest.mark.parametrize("by", ["value", "magnitude"])
@pytest.mark.parametrize("k", [0, 1, 3, 12])
@pytest.mark.parametrize("name", CONVS)
def test_every_plan_computes_the_model(
    name: str, k: int, by: str, nodes: Tensor | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    model = pruned(Net(CONVS[name], k, by), 0.3)
    edges, x = setting()
    expected = model(x, edges).detach()
    expected = expected if nodes is None else expected[nodes]
    for sign in (1, -1):
        monkeypatch.setattr(
            planner,
            "estimated_ms",
            lambda steps, *_, sign=sign: float(sign * sum(step.macs for step in steps)),
        )
        fast = compiled(model, edges, x, nodes=nodes)
        assert torch.allclose(fast(), expected, rtol=1e-9, atol=1e-11)
        other = model(x * 2, edges).detach()
        other = other if nodes is None else other[nodes]
        assert torch.allclose(fast(x * 2), other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("conv", [pyg.GCNConv, gin])
def test_sparse_rows_are_measured_and_stored(
    conv: Any, tmp_path: Path, planned_by_macs: None
) -> None:
    torch.manual_seed(0)
    model = pruned(Net(conv, 1), 0.0)
    edges, x = setting()
    measured = sg.compile(model, edges, x)
    names = {c.name for layer in measured.report().layers for c in layer.candidates}
    assert {"sparse rows, transform first, dense weight"} <= names
    assert {"sparse rows, aggregate first, dense weight"} <= names
    fast = compiled(model, edges, x)
    assert any("sparse rows" in layer.chosen for layer in fast.report().layers)
    expected = fast()
    assert torch.allclose(measured(), expected, atol=1e-12)
    torch._dynamo.reset()
    traced = torch.compile(fast, fullgraph=True, backend="aot_eager")
    assert torch.allclose(traced(), expected, atol=1e-12)
    assert torch.allclose(torch.export.export(fast, ()).module()(), expected, atol=1e-12)
    fast.save(tmp_path / "fast.program")
    assert torch.equal(CompiledModel.load(tmp_path / "fast.program")(), expected)


def test_all_channels_compete() -> None:
    torch.manual_seed(0)
    edges, x = setting()
    model = Net(pyg.GCNConv, 2).double().eval()
    with torch.no_grad():
        model.second.lin.weight[:, :6] = 0
    fast = compiled(model, edges, x)
    assert torch.allclose(fast(), model(x, edges).detach(), atol=1e-12)


def test_more_entries_than_channels_have_their_sentence() -> None:
    edges, x = setting()
    with pytest.raises(ValueError, match="act must keep at most 12 entries, got k=13"):
        sg.compile(Net(pyg.GCNConv, 13).double(), edges, x)
