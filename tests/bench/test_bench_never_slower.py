"""The sweep draws what it says, judges by its protocol, and goes on where it stopped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from bench.cases import OURS
from bench.harness import Plan, Run
from bench.never_slower.__main__ import main
from bench.never_slower.compare import AGAIN, DENSE, FIRST, PYG, compare, judged
from bench.never_slower.drawing import GRAPHS, MODELS, PATTERNS, WIDTHS, draw
from bench.never_slower.inputs import make
from bench.never_slower.report import bar
from bench.records import read_record
from bench.schema import Timing
from bench.stats import summarize


def test_cases_cover_what_they_should() -> None:
    cases = [draw(0, index) for index in range(240)]
    assert {(case.model, case.graph) for case in cases} == {(m, g) for m in MODELS for g in GRAPHS}
    assert {case.layers for case in cases} == {1, 2, 3, 4}
    assert {case.hidden for case in cases} == set(WIDTHS)
    assert {case.pattern for case in cases} == set(PATTERNS)
    assert {0.0, 0.9} <= {case.graph_sparsity for case in cases} <= {0.0, 0.1, 0.3, 0.6, 0.9}
    assert {0.0, 0.99} <= {case.weight_sparsity for case in cases}
    assert all(10 <= case.nodes <= 20_000 and case.fits for case in cases)
    assert max(case.nodes for case in cases) > 10_000
    assert draw(0, 7) == draw(0, 7) != draw(1, 7)


@pytest.mark.parametrize("index", range(40))
def test_inputs_are_what_was_drawn(index: int) -> None:
    drawn = draw(3, index)
    inputs, again = make(drawn, 3), make(drawn, 3)
    assert inputs.x.shape == (drawn.nodes, drawn.inputs)
    assert torch.equal(inputs.x, again.x) and torch.equal(inputs.kept, again.kept)
    assert torch.equal(inputs.edge_index, again.edge_index)
    if drawn.graph == "star":
        assert inputs.edge_index.shape[1] == 2 * (drawn.nodes - 1)
        assert bool((inputs.edge_index == 0).any(dim=0).all())
    assert (inputs.edge_index.shape[1] == 0) == (drawn.graph == "empty")
    weights = [p for p in inputs.model.parameters() if p.dim() == 2]
    kept = sum(int(w.count_nonzero()) for w in weights) / sum(w.numel() for w in weights)
    if drawn.pattern == "unstructured" and drawn.weight_sparsity == 0.5:
        assert abs(kept - 0.5) < 0.1
    if drawn.weight_sparsity == 0.0:
        assert kept > 0.99


def timing(seconds: float) -> Timing:
    summary = summarize([seconds] * 3)
    return Timing(
        calls_per_sample=1,
        preemptions_per_s=0.0,
        wall_s=[seconds] * 3,
        cpu_s=[seconds] * 3,
        wall=summary,
        cpu=summary,
    )


@pytest.mark.parametrize(
    ("ours", "slower", "repeats"),
    [
        ([1.0], False, 0),  # never behind
        ([1.02], False, 0),  # within the noise
        ([1.1, 1.0], False, 1),  # once, not again
        ([1.1, 1.1, 1.0], False, 2),
        ([1.1, 1.1, 1.1], True, 2),
    ],
)
def test_a_loss_is_one_that_repeats(ours: list[float], slower: bool, repeats: int) -> None:
    series, plans = iter(ours), []

    def measure(runs: Mapping[str, Run], plan: Plan) -> dict[str, Timing]:
        plans.append(plan)
        return {OURS: timing(next(series)), DENSE: timing(1.0), PYG: timing(5.0)}

    found = judged(dict.fromkeys((OURS, DENSE, PYG), lambda: None), measure)
    assert found[1:] == (slower, repeats)
    assert plans == [FIRST] + [AGAIN] * repeats


def test_a_case_is_checked_and_timed() -> None:
    drawn = draw(0, 2)
    record = compare(drawn, 0)
    assert record.name == drawn.name and record.max_error[OURS] <= 1e-4
    assert {OURS, DENSE, PYG} <= record.timings.keys()
    found = bar([record], 1)
    assert found.met == (record.values["slower"] == 0) and found.cells == 1


def test_a_sweep_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "sweep.json"
    options = ["--resume", str(path), "--threads", "1", "--first", "17"]
    main([*options, "--cases", "1"])
    first = read_record(path)
    assert [case.name for case in first.cases] == [draw(0, 17).name] and not first.skipped
    main([*options, "--cases", "2"])
    both = read_record(path)
    assert [case.name for case in both.cases] == [draw(0, i).name for i in (17, 18)]
    assert both.cases[0] == first.cases[0] and both.bars[0].cells_expected == 2
    main([*options, "--cases", "2", "--show", str(path)])
