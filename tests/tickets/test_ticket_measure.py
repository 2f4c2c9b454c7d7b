"""Measurement: the peers compute the same model, and the numbers are what they say."""

from __future__ import annotations

import json
import time

import pytest
import torch
from small_ticket import Setup, make

from sparsegnn.compiler.timing import CPU, comparable, interleaved
from sparsegnn.data import NodeDataset
from sparsegnn.tickets.measure import SpeedReport, compare, measure_forward


def dataset(setup: Setup) -> NodeDataset:
    size = setup.graph.num_nodes
    part = torch.arange(size) % 3
    return NodeDataset(
        name="random",
        graph=setup.graph,
        x=setup.x,
        y=torch.arange(size) % 3,
        train_mask=part == 0,
        val_mask=part == 1,
        test_mask=part == 2,
        num_classes=3,
    )


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "bias"])
def report(request: pytest.FixtureRequest) -> SpeedReport:
    setup = make(dtype=torch.float32, bias=request.param)
    messages: list[str] = []
    found = compare(
        setup.ticket, setup.model, dataset(setup), rounds=3, on_progress=messages.append
    )
    assert len(messages) == 3
    return found


def test_all_programs_compute_the_same(report: SpeedReport) -> None:
    assert report.max_relative_difference < 1e-5


def test_rows_and_ratios(report: SpeedReport) -> None:
    assert [row.kind for row in report.rows] == ["pyg", "composite", "dense", "ticket"]
    for work in ("forward", "step"):
        assert report.ratio("ticket", work) == 1.0
        theirs = getattr(report.row("pyg"), work).median_ms
        ours = getattr(report.row("ticket"), work).median_ms
        assert report.ratio("pyg", work) == theirs / ours
    for row in report.rows:
        assert row.forward.rounds == 3
        assert row.forward.lower_quartile_ms <= row.forward.median_ms
        assert row.forward.median_ms <= row.forward.upper_quartile_ms
        assert row.macs > 0 and row.bytes > 0
    assert report.row("ticket").macs == report.plan.counted()[0].executed
    assert report.row("pyg").macs > report.row("composite").macs == report.row("dense").macs


def test_text_and_json(report: SpeedReport) -> None:
    text = str(report)
    assert "PyG eager" in text and f"torch {torch.__version__}" in text
    assert ("measure again" in text) == report.busy
    json.dumps(report.to_json(), allow_nan=False)


def test_training_can_be_left_out() -> None:
    setup = make(dtype=torch.float32)
    found = compare(setup.ticket, setup.model, dataset(setup), training=False, rounds=3)
    assert all(row.step is None for row in found.rows)
    with pytest.raises(ValueError, match="must have been measured, got 'step'"):
        found.ratio("pyg", "step")


def test_measure_forward() -> None:
    setup = make()
    fast = setup.ticket.compile(setup.model, (setup.x, setup.graph), tune=False)
    assert 0 < measure_forward(fast, rounds=4).median_ms < 1000


def test_interleaved_calls_in_turn_and_counts_rounds() -> None:
    calls: list[str] = []
    timings = interleaved(
        {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=4
    )
    assert calls[-8:] == ["a", "b", "b", "a"] * 2
    assert timings["a"].rounds == 4


def test_budget_ends_a_series_after_three_rounds() -> None:
    timing = interleaved({"nap": lambda: time.sleep(0.002)}, rounds=50, budget_s=0.0)["nap"]
    assert timing.rounds == 3
    assert timing.median_ms >= 2.0


def test_waiting_is_not_counted_as_work() -> None:
    threads = torch.get_num_threads()
    timing = comparable(
        {"nap": lambda: time.sleep(0.01)}, rounds=3, budget_s=1.0, device=torch.device("cpu")
    )["nap"]
    assert timing.clock == CPU
    assert timing.median_ms < 5.0
    assert torch.get_num_threads() == threads
