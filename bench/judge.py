"""Judges bars by what the cases measured."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple

from bench.bars import Bar, Quantity
from bench.schema import BarResult, CaseRecord, Summary
from bench.stats import geometric_mean


class Cell(NamedTuple):
    """What one case says about a bar."""

    case: str
    peer: str | None
    measured: Summary


def judge(bar: Bar, cases: list[CaseRecord]) -> BarResult:
    """The bar beside what `cases` measured; `measured` is None where none of its cases ran."""
    cells = [cell for case in cases for cell in _cells(bar, case)]
    worst = _worst(bar, cells) if cells else None
    measured = None if worst is None else worst.measured if bar.every else _over(cells)
    return BarResult(
        key=bar.key,
        what=bar.what,
        relation=bar.relation,
        bar=bar.value,
        unit=bar.unit,
        measured=measured,
        met=None if measured is None else _meets(bar, measured.median),
        case=None if worst is None else worst.case,
        peer=None if worst is None else worst.peer,
        source=bar.source,
        cells=len(cells),
        cells_expected=bar.cells,
        worst=None if worst is None else worst.measured.median,
    )


def _cells(bar: Bar, case: CaseRecord) -> list[Cell]:
    """At most one cell: the fastest peer that the bar names, or the value it reads."""
    if not fnmatchcase(case.name, bar.case):
        return []
    if bar.field:
        value = case.values.get(bar.field)
        return [] if value is None else [Cell(case.name, None, _exactly(value))]
    found = _peers(case, bar.quantity)
    matching = {name: found[name] for name in found if name.startswith(bar.peers)}
    if not matching:
        return []
    fastest = min(matching, key=lambda name: matching[name].median)
    return [Cell(case.name, fastest, matching[fastest])]


def _peers(case: CaseRecord, quantity: Quantity) -> dict[str, Summary]:
    """Ratios of the peers to the subject, by peer."""
    if quantity == "wall":
        return {ratio.peer: ratio.wall for ratio in case.ratios}
    if quantity == "cpu":
        return {ratio.peer: ratio.cpu for ratio in case.ratios}
    peaks, ours = case.peak_bytes, case.peak_bytes.get(case.subject or "", 0)
    others = {name: peak for name, peak in peaks.items() if name != case.subject}
    return {name: _exactly(peak / ours) for name, peak in others.items()} if ours else {}


def _worst(bar: Bar, cells: list[Cell]) -> Cell:
    sign = 1.0 if bar.relation == ">=" else -1.0
    return min(cells, key=lambda cell: sign * cell.measured.median)


def _over(cells: list[Cell]) -> Summary:
    """The only cell as it is, or geometric means over several."""
    summaries = [cell.measured for cell in cells]
    if len(summaries) == 1:
        return summaries[0]
    medians = [summary.median for summary in summaries]
    return Summary(
        median=geometric_mean(medians),
        q1=geometric_mean([summary.q1 for summary in summaries]),
        q3=geometric_mean([summary.q3 for summary in summaries]),
        minimum=min(medians),
        maximum=max(medians),
        count=len(summaries),
    )


def _exactly(value: float) -> Summary:
    return Summary(median=value, q1=value, q3=value, minimum=value, maximum=value, count=1)


def _meets(bar: Bar, value: float) -> bool:
    return value >= bar.value if bar.relation == ">=" else value <= bar.value
