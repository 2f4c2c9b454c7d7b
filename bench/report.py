"""Tables of a record: bars first, then grids and single cases, losing cells marked."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from bench.cases import OURS
from bench.report_grid import families, grid_table
from bench.schema import BarResult, CaseRecord, Ratio, Record, Summary

PREEMPTIONS_PER_S = 20.0


def print_record(record: Record, console: Console) -> None:
    """Print machine, bars, all measurements and the list of lost comparisons."""
    _print_environment(record, console)
    console.print(_bar_table(record.bars))
    grids = families(record.cases)
    for family, cells in grids.items():
        console.print(grid_table(family, cells))
    shown = {case.name for cells in grids.values() for case in cells.values()}
    single = [case for case in record.cases if case.name not in shown]
    if any(case.timings for case in single):
        console.print(_cell_table(single))
    for case in single:
        if case.values:
            console.print(_value_table(case))
    _print_notes(record, console)
    _print_disturbed(record.cases, console)
    _print_losses(record.cases, console)
    for name, reason in record.skipped.items():
        console.print(f"failed: {name}: {reason}", style="bold red", markup=False)


def _print_notes(record: Record, console: Console) -> None:
    """What a reader must know, once per family, then the notes of the run."""
    families_by_note: dict[str, str] = {}
    for case in record.cases:
        families_by_note.setdefault(case.note, case.name.split("/")[0])
    for note, family in families_by_note.items():
        if note:
            console.print(f"{family}: {note}", style="dim", markup=False)
    for note in record.notes:
        console.print(note, style="dim", markup=False)


def losses(cases: list[CaseRecord]) -> list[tuple[CaseRecord, Ratio]]:
    """Comparisons with other software in which ours is slower, by median wall time."""
    return [
        (case, ratio)
        for case in cases
        for ratio in case.ratios
        if not ratio.peer.startswith(OURS) and ratio.wall.median < 1.0
    ]


def _print_environment(record: Record, console: Console) -> None:
    machine = record.environment
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    isa = ", ".join(flag for flag in machine.isa if flag in ("avx2", "avx512f", "amx_bf16", "sve"))
    copies = ", ".join(
        f"{item.gb_per_s.median:.1f} GB/s ({item.threads} thread{'s' * (item.threads > 1)}, "
        f"{item.means})"
        for item in record.bandwidth
    )
    commit = (machine.commit or "unknown")[:10] + (
        " with local changes" if machine.modified else ""
    )
    lines = [
        f"{machine.cpu}, {machine.cores} cores, {machine.torch_threads} threads, {isa}",
        f"{versions}; {machine.system}",
        f"commit {commit}; {record.created}; mode {record.mode}; copy {copies}",
    ]
    for line in lines:
        console.print(line, markup=False, highlight=False)


def _bar_table(bars: list[BarResult]) -> Table:
    table = Table(title="Bars", title_justify="left")
    for name in ("what", "bar", "measured (quartiles)", "against", "verdict"):
        table.add_column(name, overflow="fold")
    for bar in bars:
        sign = "≥" if bar.relation == ">=" else "≤"
        table.add_row(
            bar.what,
            f"{sign} {bar.bar:g} {bar.unit}".strip(),
            "-" if bar.measured is None else _spread(bar.measured, bar.unit),
            _against(bar),
            _verdict(bar),
        )
    return table


def _against(bar: BarResult) -> str:
    """The peer of the only cell, or the worst cell by name."""
    if bar.cells <= 1 or bar.worst is None:
        return bar.peer or ""
    place = (bar.case or "").split("/", 1)[-1]
    peer = f", {bar.peer}" if bar.peer else ""
    return f"worst cell {bar.worst:.2f}: {place}{peer}"


def _verdict(bar: BarResult) -> str:
    if bar.met is None:
        return "[dim]not run[/dim]"
    verdict = "[green]met[/green]" if bar.met else "[bold red]missed[/bold red]"
    part = f", {bar.cells} of {bar.cells_expected} cells" if bar.cells < bar.cells_expected else ""
    return verdict + part


def _spread(summary: Summary, unit: str) -> str:
    text = f"{summary.median:.2f}"
    if summary.count > 1:
        text += f" ({summary.q1:.2f} to {summary.q3:.2f})"
    return f"{text} {unit}".strip()


def _cell_table(cases: list[CaseRecord]) -> Table:
    table = Table(
        title="Measurements; ratio = time of the row / time of ours", title_justify="left"
    )
    table.add_column("case", overflow="fold")
    table.add_column("alternative", overflow="fold")
    for name in ("wall ms", "CPU ms", "wall ratio (quartiles)", "CPU ratio"):
        table.add_column(name, justify="right")
    for case in cases:
        by_peer = {ratio.peer: ratio for ratio in case.ratios}
        for position, (name, timing) in enumerate(case.timings.items()):
            table.add_row(
                _heading(case) if position == 0 else "",
                name,
                f"{1e3 * timing.wall.median:.2f}",
                f"{1e3 * timing.cpu.median:.2f}",
                *_ratio_cells(by_peer.get(name)),
                end_section=position == len(case.timings) - 1,
            )
    return table


def _heading(case: CaseRecord) -> str:
    """Case, named input, threads."""
    names = [value for value in case.params.values() if isinstance(value, str)]
    return f"{case.name} ({', '.join([*names, f'{case.threads} thr'])})"


def _ratio_cells(ratio: Ratio | None) -> tuple[str, str]:
    if ratio is None:
        return "", ""
    lost = ratio.wall.median < 1.0 and not ratio.peer.startswith(OURS)
    text = _spread(ratio.wall, "")
    return f"[red]{text} lost[/red]" if lost else text, f"{ratio.cpu.median:.2f}"


def _value_table(case: CaseRecord) -> Table:
    table = Table(title=case.name, title_justify="left")
    table.add_column("value")
    table.add_column("", justify="right")
    for name, value in case.values.items():
        table.add_row(name.replace("_", " "), f"{value:.2f}")
    return table


def disturbed(case: CaseRecord) -> bool:
    """Whether other programs took cores away often enough to spoil wall times."""
    worst = max((timing.preemptions_per_s for timing in case.timings.values()), default=0.0)
    return worst > PREEMPTIONS_PER_S


def _print_disturbed(cases: list[CaseRecord], console: Console) -> None:
    names = [case.name for case in cases if disturbed(case)]
    if names:
        console.print(
            f"Other programs held the cores during {', '.join(names)}: measure again on a quiet "
            "machine; CPU ratios suffer less than wall ratios.",
            style="yellow",
            highlight=False,
        )


def _print_losses(cases: list[CaseRecord], console: Console) -> None:
    lost = losses(cases)
    if not lost:
        console.print("No comparison lost.")
        return
    console.print("Lost comparisons:", style="bold")
    for case, ratio in lost:
        line = f"  {case.name}: {ratio.peer} takes {_spread(ratio.wall, '')} of our time"
        console.print(line, markup=False)
