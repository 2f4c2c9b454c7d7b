"""Sweeps over sparsities: masks, peers, ratios and what can go wrong."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch

from sparsegnn.compiler.timing import Timing
from sparsegnn.profiling import (
    KINDS,
    Data,
    Machine,
    Profile,
    RandomMasks,
    Ratio,
    calibrate,
    load_data,
    make_subject,
    profile,
)
from sparsegnn.profiling.peers import COMPILED, COMPOSITE, DENSE, EAGER, make_peers


@pytest.mark.parametrize("kind", KINDS)
def test_masks_are_exact_and_nested(kind: str, data: Data) -> None:
    subject = make_subject(kind, data, hidden=32, heads=4)
    masks = RandomMasks(subject, seed=1)
    some, more = masks.prune(0.2, 0.5), masks.prune(0.6, 0.9)
    whole = dict(subject.model.named_parameters())
    for name, value in some.model.named_parameters():
        rest = more.model.get_parameter(name)
        if value.dim() != 2:
            assert torch.equal(value, whole[name])
            continue
        assert int(value.count_nonzero()) == value.numel() - round(0.5 * value.numel())
        assert bool((value == torch.where(value != 0, whole[name], 0.0)).all())
        assert bool(((rest != 0) <= (value != 0)).all())
    assert some.edge_mask is not None and more.edge_mask is not None
    pair, count = data.graph.pairs()
    assert count == 151
    for cell, share in ((some, 0.2), (more, 0.6)):
        assert cell.edge_mask is not None
        assert len(pair[cell.edge_mask].unique()) == count - round(share * count)
        assert not set(pair[cell.edge_mask].tolist()) & set(pair[~cell.edge_mask].tolist())
    assert bool((more.edge_mask <= some.edge_mask).all())
    assert masks.prune(0.0, 0.5).edge_mask is None


def test_a_sweep_measures_everything_in_one_run(swept: Profile) -> None:
    assert set(swept.peers) == {EAGER, f"{COMPOSITE}, int32", f"{COMPOSITE}, int64", DENSE}
    assert swept.missing == {COMPILED: "not asked for"}
    assert swept.difference < 1e-4
    rounds = {each.rounds for each in (*swept.peers.values(), *(c.timing for c in swept.cells))}
    assert len(rounds) == 1
    assert [cell.weight_sparsity for cell in swept.cells] == [0.9, 0.0, 0.6]
    assert [cell.report.edges_kept for cell in swept.cells] == [
        pytest.approx(301 * (1 - share), abs=2) for share in (0.4, 0.0, 0.2)
    ]


def test_realisation_is_measured_over_counted(swept: Profile) -> None:
    cell = swept.cells[0]
    fewer = swept.fewer_macs(cell)
    _, dense = cell.report.counted()
    kept = cell.report.macs_kept
    assert kept is not None
    assert fewer["executed_dense_features"] == pytest.approx(
        dense.executed_dense_features / kept.executed_dense_features
    )
    measured = swept.peers[EAGER].median_ms / cell.timing.median_ms
    assert swept.realisation(cell, EAGER)["papers"] == pytest.approx(measured / fewer["papers"])
    own = cell.report.realisation()
    assert own is not None and own > 0
    assert "realisation: " in str(cell.report)


def test_layers_add_up_to_the_program(swept: Profile) -> None:
    for cell in swept.cells:
        macs, _ = cell.report.counted()
        layers = cell.report.layers
        assert sum(layer.macs.executed for layer in layers) == macs.executed
        assert sum(layer.macs.papers for layer in layers) == pytest.approx(macs.papers, abs=2)
        assert all(layer.touched_bytes > 0 for layer in layers)
        assert sum(layer.touched_bytes for layer in layers) >= cell.report.memory.weights


def test_json_holds_the_derived_numbers(swept: Profile) -> None:
    record = json.loads(json.dumps(swept.to_json(), allow_nan=False))
    cell = record["cells"][0]
    assert cell["speedup"][EAGER]["median"] == swept.speedup(swept.cells[0], EAGER).median
    assert set(cell["realisation"][DENSE]) == {"papers", "executed_dense_features", "executed"}
    assert len(cell["roof"]) == len(cell["report"]["layers"])
    layers = [each["layer"] for each in record["break_even"]]
    assert layers == ["convs.0, act", "convs.1"]
    for place, peer in record["losing"]:
        assert record["cells"][place]["speedup"][peer]["median"] < 1


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "GCN"])
def test_every_kind_of_model(kind: str, data: Data) -> None:
    subject = make_subject(kind, data, hidden=32, heads=4)
    cells = [RandomMasks(subject).prune(0.3, 0.9)]
    found = profile(subject, cells, torch_compile=False, seconds=0.01)
    assert set(found.peers) == {EAGER, DENSE}
    assert found.missing[COMPOSITE] == "written for GCN alone"
    assert found.difference < 1e-4
    assert found.speedup(found.cells[0], EAGER).median > 0


def test_a_compiler_that_is_not_there_is_named(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("\nno working C++ compiler\nand a long story")

    monkeypatch.setattr(torch, "compile", refuse)
    peers = make_peers(make_subject("GIN", data, hidden=16))
    assert peers.missing[COMPILED] == "not available here: RuntimeError: no working C++ compiler"
    assert COMPILED not in peers.runs


def test_ratios_and_roofs() -> None:
    slow, fast = Timing(8.0, 6.0, 10.0, 5, 1.0), Timing(2.0, 1.0, 3.0, 5, 1.0)
    assert Ratio.of(slow, fast) == Ratio(4.0, 2.0, 10.0)
    machine = Machine(1e9, 1e9, "", 1, "cpu", "")
    assert machine.roof_ms(1_000_000, 3_000_000) == (3.0, "memory")
    assert machine.roof_ms(4_000_000, 3_000_000) == (4.0, "arithmetic")
    found = calibrate(torch.device("cpu"))
    assert math.isfinite(found.bytes_per_s) and found.bytes_per_s > 0 < found.macs_per_s
    assert found.threads == torch.get_num_threads()


@pytest.mark.parametrize(
    ("kind", "sizes", "message"),
    [
        ("GCNII", {}, "model must be one of GCN, GIN, GraphSAGE, GAT, GATv2, got 'GCNII'"),
        ("GCN", {"hidden": 0}, "hidden must be at least 1, got 0"),
        ("GAT", {"hidden": 30, "heads": 4}, "heads must divide hidden, got 4 and 30"),
    ],
)
def test_models_that_are_none(kind: str, sizes: dict[str, int], message: str, data: Data) -> None:
    with pytest.raises(ValueError, match=message):
        make_subject(kind, data, **sizes)


def test_data_without_features(monkeypatch: pytest.MonkeyPatch) -> None:
    from sparsegnn.data.content import canonical
    from sparsegnn.profiling import subject

    edges = torch.tensor([[0, 1], [1, 0]]).numpy()
    monkeypatch.setattr(subject, "find_content", lambda name: (canonical(edges, 2), name))
    with pytest.raises(ValueError, match="dataset must have features and labels, got 'web'"):
        load_data("web")


def test_no_cell(data: Data) -> None:
    with pytest.raises(ValueError, match="cells must hold at least one"):
        profile(make_subject("GCN", data, hidden=8), [])
