import math

import pytest

from bench.stats import geometric_mean, paired_ratios, summarize


def test_summary_by_hand() -> None:
    summary = summarize([5.0, 1.0, 3.0, 2.0, 4.0])
    assert (summary.minimum, summary.q1, summary.median) == (1.0, 2.0, 3.0)
    assert (summary.q3, summary.maximum, summary.count) == (4.0, 5.0, 5)


def test_summary_interpolates_between_two_values() -> None:
    summary = summarize([1.0, 3.0])
    assert (summary.q1, summary.median, summary.q3) == (1.5, 2.0, 2.5)


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf]])
def test_summary_rejects(values: list[float]) -> None:
    with pytest.raises(ValueError, match="values: expected"):
        summarize(values)


def test_ratios_are_taken_within_a_round() -> None:
    assert paired_ratios([2.0, 40.0], [1.0, 10.0]) == [2.0, 4.0]


def test_ratios_reject_unequal_rounds_and_zero_times() -> None:
    with pytest.raises(ValueError, match="expected 1 rounds"):
        paired_ratios([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="positive"):
        paired_ratios([1.0], [0.0])


def test_geometric_mean_by_hand() -> None:
    assert geometric_mean([2.0, 8.0]) == pytest.approx(4.0)
    assert geometric_mean([0.5, 0.125]) == pytest.approx(1 / geometric_mean([2.0, 8.0]))


@pytest.mark.parametrize("values", [[], [1.0, 0.0], [1.0, -1.0], [math.nan], [math.inf]])
def test_geometric_mean_rejects(values: list[float]) -> None:
    with pytest.raises(ValueError, match="values: expected positive finite"):
        geometric_mean(values)
