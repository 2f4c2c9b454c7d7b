"""What a sweep found: speed-ups by kind, and every case that is slower than the dense model."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from bench.never_slower.compare import DENSE, KEPT, PYG
from bench.schema import BarResult, CaseRecord, Record
from bench.stats import geometric_mean, summarize

_SOURCE = "Acceleration goals, 'Never slower'"


def bar(cases: list[CaseRecord], expected: int) -> BarResult:
    """No case may be slower."""
    slower = [case for case in cases if case.values["slower"] > 0]
    worst = min(cases, key=_least, default=None)
    return BarResult(
        key="never-slower",
        what="compiled models slower than the dense one by more than 3 %, in three runs",
        relation="<=",
        bar=0.0,
        unit="cases",
        measured=summarize([float(len(slower))]) if cases else None,
        met=not slower if cases else None,
        case=None if worst is None else worst.name,
        peer=None if worst is None else worst.ratios[-1].peer,
        source=_SOURCE,
        cells=len(cases),
        cells_expected=expected,
        worst=None if worst is None else _least(worst),
    )


def _least(case: CaseRecord) -> float:
    """The ratio to the fastest peer; they are sorted, the slowest first."""
    return case.ratios[-1].wall.median


def print_sweep(record: Record, console: Console) -> None:
    """Prints speed-ups by kind of model, then every loss and failure."""
    cases = record.cases
    slower = [case for case in cases if case.values["slower"] > 0]
    kept = sum(case.values["kept as it is"] for case in cases)
    again = sum(case.values["repeated"] > 0 for case in cases)
    seconds = sum(case.values["compile s"] for case in cases)
    console.print(
        f"{len(cases)} cases, {len(slower)} slower than the dense model; "
        f"{again:.0f} measured again, {kept:.0f} kept as they are, {seconds:.0f} s of compiling",
        markup=False,
    )
    console.print(_speedups(cases))
    if slower:
        console.print(_losers(slower))
    for name, reason in record.skipped.items():
        console.print(f"failed: {name}: {reason}", style="bold red", markup=False)


def _speedups(cases: list[CaseRecord]) -> Table:
    table = Table(title="Geometric means of peer time / our time", title_justify="left")
    for name in ("model", "cases", DENSE, KEPT, PYG, "least"):
        table.add_column(name, justify="left" if name == "model" else "right")
    groups: dict[str, list[CaseRecord]] = {}
    for case in cases:
        groups.setdefault(str(case.params["model"]), []).append(case)
    for name, members in [*groups.items(), ("all", cases)]:
        if members:
            means = [_mean(members, peer) for peer in (DENSE, KEPT, PYG)]
            least = min(_least(case) for case in members)
            table.add_row(name, str(len(members)), *means, f"{least:.2f}")
    return table


def _mean(cases: list[CaseRecord], peer: str) -> str:
    found = [ratio.wall.median for case in cases for ratio in case.ratios if ratio.peer == peer]
    return f"{geometric_mean(found):.2f}" if found else "-"


def _losers(cases: list[CaseRecord]) -> Table:
    table = Table(title="Slower than the dense model", title_justify="left")
    for name in ("case", "ours ms", "peer", "peer / ours", "what it is", "plan"):
        table.add_column(name, overflow="fold")
    for case in sorted(cases, key=_least):
        ratio = case.ratios[-1]
        ours = case.timings[case.subject or ""].wall.median
        facts = ", ".join(
            f"{key} {value}" for key, value in case.params.items() if key not in _NAMED
        )
        table.add_row(
            case.name, f"{1e3 * ours:.3f}", ratio.peer, f"{ratio.wall.median:.3f}", facts, case.note
        )
    return table


_NAMED = ("index", "model", "graph")
