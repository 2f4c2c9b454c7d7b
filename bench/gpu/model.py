"""Bytes that an operator has to move, and the rate that the memory allows. Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

ID_BYTES = 4


def gathered_bytes(edges: int, width: int, element: int) -> int:
    """Features read by an aggregation without any reuse."""
    return edges * width * element


def spmm_bytes(nodes: int, edges: int, width: int, element: int) -> int:
    """Gathered features, column ids, row pointers, and the result written once."""
    return (
        gathered_bytes(edges, width, element)
        + ID_BYTES * (edges + nodes + 1)
        + (nodes * width * element)
    )


def rate_at(
    points: Sequence[tuple[int, int, float]], footprint: float, row_bytes: int
) -> float | None:
    """Gather rate at a footprint, from measured (footprint, bytes per row, rate) points.

    Takes the longest measured rows that are no longer than these (the shortest otherwise) and
    interpolates over the logarithm of the footprint; past the measured range the last rate holds.
    None without points.
    """
    if not points:
        return None
    lengths = sorted({length for _, length, _ in points})
    length = max((n for n in lengths if n <= row_bytes), default=lengths[0])
    line = sorted((size, rate) for size, n, rate in points if n == length)
    below = [point for point in line if point[0] <= footprint]
    above = [point for point in line if point[0] > footprint]
    if not below:
        return above[0][1]
    if not above:
        return below[-1][1]
    (low, first), (high, last) = below[-1], above[0]
    part = math.log(footprint / low) / math.log(high / low)
    return first + part * (last - first)


def gather_points(cases: Sequence[Mapping[str, Any]]) -> list[tuple[int, int, float]]:
    """The points of `rate_at` from the cases of the bandwidth section."""
    return [
        (case["footprint_bytes"], case["row_bytes"], case["bytes_per_s"])
        for case in cases
        if "row_bytes" in case
    ]
