from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsegnn.cli.stats import Stat, choose_headline, summarize
from sparsegnn.pruning import RoundResult


def result(round: int, val: float, test: float = 0.5) -> RoundResult:
    return RoundResult(round, 0.05 * round, 0.2 * round, val, test, 1, 1.0, 1.0)


def one_seed(*vals: float) -> list[list[RoundResult]]:
    return [[result(index, val) for index, val in enumerate(vals)]]


def test_stat_by_hand() -> None:
    stat = Stat.of([0.7, 0.8, 0.9])
    assert stat.mean == pytest.approx(0.8)
    assert stat.sd == pytest.approx(0.1)
    assert Stat.of([0.7]) == Stat(0.7, None, 1)


@pytest.mark.parametrize(
    ("vals", "round", "within"),
    [
        ((0.800, 0.80, 0.70), 1, True),
        ((0.800, 0.70, 0.81), 2, True),
        ((0.794, 0.789, 0.70), 1, True),
        ((0.794, 0.788, 0.70), 2, False),
        ((0.8, 0.1, 0.1, 0.1), 3, False),
    ],
)
def test_headline_of_one_seed(vals: tuple[float, ...], round: int, within: bool) -> None:
    headline = choose_headline(summarize(one_seed(*vals), [[]]))
    assert (headline.round, headline.within, headline.tolerance) == (round, within, 0.005)


def test_headline_of_several_seeds_uses_the_spread_of_the_dense_model() -> None:
    seeds = [one_seed(0.80, 0.79, 0.77)[0], one_seed(0.82, 0.81, 0.79)[0]]
    headline = choose_headline(summarize(seeds, [[], []]))
    assert headline.tolerance == pytest.approx(math.sqrt(2) * 0.01)
    assert (headline.round, headline.within) == (1, True)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_test_accuracy_plays_no_part_in_the_choice(vals: list[float], random: object) -> None:
    first = [[result(index, val, 0.0) for index, val in enumerate(vals)]]
    second = [[result(index, val, random.random()) for index, val in enumerate(vals)]]
    assert choose_headline(summarize(first, [[]])) == choose_headline(summarize(second, [[]]))


def test_only_common_rounds_are_summarised() -> None:
    seeds = [one_seed(0.8, 0.7, 0.6)[0], one_seed(0.8, 0.7)[0]]
    assert [each.round for each in summarize(seeds, [[], []])] == [0, 1]


def test_random_tickets_are_summarised_when_every_seed_has_one() -> None:
    seeds = [one_seed(0.8, 0.7)[0], one_seed(0.8, 0.7)[0]]
    drawn = [[result(1, 0.4, 0.3)], [result(1, 0.6, 0.5)]]
    summary = summarize(seeds, drawn)[1]
    assert summary.random_val is not None and summary.random_val.mean == pytest.approx(0.5)
    assert summary.random_test is not None and summary.random_test.mean == pytest.approx(0.4)
    assert summarize(seeds, [drawn[0], []])[1].random_val is None
