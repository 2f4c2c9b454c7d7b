"""From which weight sparsity on a layer is faster with a sparse weight than with a dense one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sparsegnn.compiler.report import CandidateReport, Report

# How the compiler names plans that skip pruned weights; others with a dense weight multiply them.
SPARSE = ("CSR weight", "blocks of", "compacted")
DENSE = "dense weight"

Layer = tuple[str, list[CandidateReport]]


@dataclass(frozen=True)
class Race:
    """The best sparse and the best dense plan of a layer at one sparsity, in milliseconds."""

    weight_sparsity: float
    sparse_ms: float
    dense_ms: float


@dataclass(frozen=True)
class BreakEven:
    """A layer's races, in order of sparsity.

    Attributes:
        layer: Path of the module; a module of several products has a number behind all but one.
        races: One per sparsity at which both kinds of plans were measured.
        sparsity: The smallest from which on the sparse plan wins, interpolated; None for none.
        at_most: Whether it wins at the smallest sparsity already, so that the true one is below.
    """

    layer: str
    races: tuple[Race, ...]
    sparsity: float | None
    at_most: bool


def break_even(reports: Sequence[tuple[float, Report]]) -> tuple[BreakEven, ...]:
    """Finds it for every layer from the plans that the compiler measured.

    Both plans of a race are those of the same compilation, after dead units were removed.

    Args:
        reports: Weight sparsities and reports, ascending.
    """
    races: dict[str, list[Race]] = {}
    for sparsity, report in reports:
        for layer, candidates in _numbered(_by_layer(report)):
            sparse = _fastest(each for each in candidates if _skips(each))
            dense = _fastest(each for each in candidates if _multiplies(each))
            found = races.setdefault(layer, [])
            if sparse is not None and dense is not None:
                found.append(Race(sparsity, sparse, dense))
    return tuple(_judged(layer, tuple(found)) for layer, found in races.items() if found)


def _judged(layer: str, races: tuple[Race, ...]) -> BreakEven:
    """Looks for the start of the last stretch that the sparse plan wins."""
    first = len(races)
    while first > 0 and races[first - 1].sparse_ms <= races[first - 1].dense_ms:
        first -= 1
    if first == len(races):
        return BreakEven(layer, races, None, False)
    if first == 0:
        return BreakEven(layer, races, races[0].weight_sparsity, True)
    return BreakEven(layer, races, _crossing(races[first - 1], races[first]), False)


def _crossing(lost: Race, won: Race) -> float:
    """Where the ratio of times passes 1, on a straight line over logarithms.

    A sparse plan's time goes with the weights that are left, so that is the scale to use.
    """
    behind = math.log(lost.sparse_ms / lost.dense_ms)
    ahead = math.log(won.dense_ms / won.sparse_ms)
    share = behind / (behind + ahead)
    left = (1.0 - lost.weight_sparsity) ** (1.0 - share) * (1.0 - won.weight_sparsity) ** share
    return float(1.0 - left)


def _skips(candidate: CandidateReport) -> bool:
    return any(mark in candidate.name for mark in SPARSE)


def _multiplies(candidate: CandidateReport) -> bool:
    return DENSE in candidate.name and not _skips(candidate)


def _fastest(candidates: Iterable[CandidateReport]) -> float | None:
    return min((each.ms for each in candidates if each.ms is not None), default=None)


def _numbered(layers: Iterable[Layer]) -> Iterator[Layer]:
    """Layers under names of their own, in the order of the report."""
    seen: Counter[str] = Counter()
    for name, candidates in layers:
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name} #{seen[name]}", candidates


def _by_layer(report: Report) -> Iterator[Layer]:
    """Candidates of single layers; those of two layers at once are left out."""
    for layer in report.layers:
        parts = layer.name.split(" and ")
        if len(parts) == 1:
            yield layer.name, list(layer.candidates)
            continue
        for part in parts:
            own = f"{part}: "
            yield part, [each for each in layer.candidates if each.name.startswith(own)]
