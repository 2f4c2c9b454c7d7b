"""Means and standard deviations over seeds, and the choice of the headline round."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from sparsegnn.pruning import RoundResult

ONE_SEED_TOLERANCE = 0.005
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Stat:
    """A mean over seeds.

    Attributes:
        mean: Arithmetic mean.
        sd: Sample standard deviation (n - 1), None for one seed.
        n: Number of seeds.
    """

    mean: float
    sd: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Stat:
        """Summarises at least one value."""
        sd = statistics.stdev(values) if len(values) > 1 else None
        return cls(statistics.fmean(values), sd, len(values))


@dataclass(frozen=True)
class RoundSummary:
    """One round over all seeds; sparsities are those of the first seed, the counts are the same.

    Attributes:
        round: 0 for the dense model.
        graph_sparsity: Share of stored edges removed.
        weight_sparsity: Share of maskable weights removed.
        val: Validation accuracy.
        test: Test accuracy.
        random_val: Validation accuracy of random tickets of the same sparsity, where trained.
        random_test: Their test accuracy.
    """

    round: int
    graph_sparsity: float
    weight_sparsity: float
    val: Stat
    test: Stat
    random_val: Stat | None
    random_test: Stat | None


@dataclass(frozen=True)
class Headline:
    """The round that is shown.

    Attributes:
        round: Its number.
        within: Whether its validation accuracy is within `tolerance` of the dense model's.
        tolerance: One standard deviation of the dense model over seeds; 0.005 for one seed.
    """

    round: int
    within: bool
    tolerance: float


def summarize(
    rounds: Sequence[Sequence[RoundResult]], random: Sequence[Sequence[RoundResult]]
) -> list[RoundSummary]:
    """Summarises the rounds that every seed has finished.

    Args:
        rounds: Per seed, results in order from round 0.
        random: Per seed, results of random tickets, any rounds.
    """
    common = min(len(results) for results in rounds)
    return [_summary([results[index] for results in rounds], random) for index in range(common)]


def _summary(
    results: Sequence[RoundResult], random: Sequence[Sequence[RoundResult]]
) -> RoundSummary:
    first = results[0]
    drawn = [each for seed in random for each in seed if each.round == first.round]
    complete = len(drawn) == len(results)
    return RoundSummary(
        round=first.round,
        graph_sparsity=first.graph_sparsity,
        weight_sparsity=first.weight_sparsity,
        val=Stat.of([each.val_accuracy for each in results]),
        test=Stat.of([each.test_accuracy for each in results]),
        random_val=Stat.of([each.val_accuracy for each in drawn]) if complete else None,
        random_test=Stat.of([each.test_accuracy for each in drawn]) if complete else None,
    )


def choose_headline(summaries: Sequence[RoundSummary]) -> Headline:
    """Picks the sparsest round that keeps the dense model's validation accuracy.

    The test set plays no part. Without such a round the last one is taken, and `within` says so.

    Args:
        summaries: From round 0, the dense model, on.
    """
    dense = summaries[0].val
    tolerance = ONE_SEED_TOLERANCE if dense.sd is None else dense.sd
    for summary in reversed(summaries[1:]):
        if summary.val.mean >= dense.mean - tolerance - _ROUNDING:
            return Headline(summary.round, True, tolerance)
    return Headline(summaries[-1].round, False, tolerance)
