"""Where sparse weights begin to win."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sparsegnn.compiler.report import CandidateReport, Report
from sparsegnn.profiling import Profile
from sparsegnn.profiling.break_even import break_even


def report(swept: Profile, name: str, **times: float | None) -> Report:
    """A report of one entry of that name; underscores of candidates stand for spaces."""
    base = swept.cells[0].report
    candidates = tuple(CandidateReport(key.replace("_", " "), 1, ms) for key, ms in times.items())
    return replace(base, layers=(replace(base.layers[0], name=name, candidates=candidates),))


def races(swept: Profile, *times: tuple[float, float, float]) -> list[tuple[float, Report]]:
    return [
        (share, report(swept, "a", dense_weight=dense, CSR_weight=sparse))
        for share, dense, sparse in times
    ]


def test_interpolated_between_measurements(swept: Profile) -> None:
    (found,) = break_even(races(swept, (0.0, 1.0, 4.0), (0.5, 1.0, 2.0), (0.9, 1.0, 0.5)))
    assert found.layer == "a" and not found.at_most and len(found.races) == 3
    assert found.sparsity == pytest.approx(1 - (0.5 * 0.1) ** 0.5)


def test_none_in_the_range(swept: Profile) -> None:
    (found,) = break_even(races(swept, (0.0, 1.0, 4.0), (0.9, 1.0, 1.5)))
    assert found.sparsity is None


def test_from_the_lowest_on(swept: Profile) -> None:
    (found,) = break_even(races(swept, (0.5, 1.0, 0.9), (0.9, 1.0, 0.5)))
    assert found.sparsity == 0.5 and found.at_most


def test_a_lead_that_is_lost_again_does_not_count(swept: Profile) -> None:
    (found,) = break_even(
        races(swept, (0.0, 1.0, 0.9), (0.5, 1.0, 2.0), (0.8, 1.0, 0.5), (0.9, 1.0, 0.5))
    )
    assert found.sparsity == pytest.approx(1 - (0.5 * 0.2) ** 0.5)


def test_the_fastest_of_each_kind_races(swept: Profile) -> None:
    times = {
        "transform_first,_dense_weight": 3.0,
        "aggregate_first,_dense_weight": 2.0,
        "transform_first,_CSR_weight": 1.0,
        "aggregate_first,_CSR_weight": None,
        "both_layers,_one_by_one": 0.1,
    }
    (found,) = break_even([(0.9, report(swept, "a", **times))])
    assert (found.races[0].dense_ms, found.races[0].sparse_ms) == (2.0, 1.0)


def test_layers_that_are_executed_as_one_race_apart(swept: Profile) -> None:
    times = {
        "both_layers,_hidden_units_fused_away": 0.1,
        "a:_dense_weight": 2.0,
        "a:_CSR_weight": 1.0,
        "b:_dense_weight": 1.0,
        "b:_CSR_weight": 3.0,
    }
    first, second = break_even([(0.9, report(swept, "a and b", **times))])
    assert (first.layer, first.sparsity) == ("a", 0.9)
    assert (second.layer, second.sparsity) == ("b", None)


def test_products_of_one_module_race_apart(swept: Profile) -> None:
    one = report(swept, "a", dense_weight=2.0, CSR_weight=1.0)
    two = report(swept, "a", dense_weight=1.0, CSR_weight=3.0)
    both = replace(one, layers=one.layers + two.layers)
    first, second = break_even([(0.5, both), (0.9, both)])
    assert (first.layer, first.at_most) == ("a", True)
    assert (second.layer, second.sparsity, len(second.races)) == ("a #2", None, 2)


def test_layers_without_a_race_are_left_out(swept: Profile) -> None:
    assert break_even([(0.9, report(swept, "a", dense_weight=1.0))]) == ()
