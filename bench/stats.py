"""Order statistics of repeated measurements."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bench.schema import Summary


def summarize(values: Sequence[float]) -> Summary:
    """Median, quartiles and extremes of a non-empty sequence of finite numbers.

    Quartiles interpolate linearly between order statistics.

    Raises:
        ValueError: If `values` is empty or holds a NaN or an infinity.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.size == 0:
        raise ValueError("values: expected at least one measurement, got none")
    if not np.isfinite(sample).all():
        raise ValueError(f"values: expected finite measurements, got {list(values)}")
    low, q1, median, q3, high = np.quantile(sample, [0.0, 0.25, 0.5, 0.75, 1.0]).tolist()
    return Summary(median=median, q1=q1, q3=q3, minimum=low, maximum=high, count=int(sample.size))


def paired_ratios(peer: Sequence[float], subject: Sequence[float]) -> list[float]:
    """`peer[i] / subject[i]` of each round: above 1 where the subject is faster.

    Pairing within a round cancels drift of the machine between rounds.

    Raises:
        ValueError: If the lengths differ or a subject time is not positive.
    """
    if len(peer) != len(subject):
        raise ValueError(f"peer: expected {len(subject)} rounds as in subject, got {len(peer)}")
    if any(value <= 0.0 for value in subject):
        raise ValueError(f"subject: expected positive times, got {list(subject)}")
    return [a / b for a, b in zip(peer, subject, strict=True)]


def geometric_mean(values: Sequence[float]) -> float:
    """The mean of ratios: that of the inverse ratios is its inverse.

    Raises:
        ValueError: If `values` is empty or holds a number that is not positive and finite.
    """
    if not values or not all(0.0 < value < math.inf for value in values):
        raise ValueError(f"values: expected positive finite numbers, got {list(values)}")
    return math.exp(math.fsum(math.log(value) for value in values) / len(values))
