"""Tables of the families of cases named `family/row/column`: one line per row and alternative."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rich.table import Table

from bench.cases import OURS
from bench.schema import CaseRecord
from bench.stats import geometric_mean

Cells = dict[tuple[str, str], CaseRecord]
Read = Callable[[CaseRecord], float | None]


def families(cases: Iterable[CaseRecord]) -> dict[str, Cells]:
    """Cases by family and (row, column); a family has at least two of them."""
    found: dict[str, Cells] = {}
    for case in cases:
        parts = case.name.split("/")
        if len(parts) == 3 and case.subject is not None:
            found.setdefault(parts[0], {})[parts[1], parts[2]] = case
    return {family: cells for family, cells in found.items() if len(cells) > 1}


def grid_table(family: str, cells: Cells) -> Table:
    """Our milliseconds, rates and memory, then each peer's time over ours; every cell is shown."""
    columns = list(dict.fromkeys(column for _, column in cells))
    threads = sorted({case.threads for case in cells.values()})
    title = f"{family}, {'/'.join(map(str, threads))} threads: ratio = time of the peer / ours"
    table = Table(title=title, title_justify="left")
    table.add_column("", overflow="fold")
    table.add_column("", overflow="fold")
    for name in (*columns, "geomean"):
        table.add_column(name, justify="right")
    for label, read, is_ratio in _quantities(cells):
        _add_rows(table, label, cells, columns, read, is_ratio)
    return table


def _quantities(cells: Cells) -> list[tuple[str, Read, bool]]:
    """(label, how to read a cell, whether below 1 is a lost comparison) of every block."""
    found: list[tuple[str, Read, bool]] = [(f"{OURS}, ms", _milliseconds, False)]
    for key, label in _VALUES.items():
        found.append((label, _value(key), False))
    peers = dict.fromkeys(ratio.peer for case in cells.values() for ratio in case.ratios)
    for peer in sorted(peers, key=lambda name: name.startswith(OURS)):
        found.append((peer, _ratio(peer), not peer.startswith(OURS)))
    measured = (peer for peer in peers if any(peer in c.peak_bytes for c in cells.values()))
    for peer in measured:
        found.append((f"{peer}, peak memory", _memory(peer), not peer.startswith(OURS)))
    return [entry for entry in found if any(entry[1](case) is not None for case in cells.values())]


_VALUES = {
    "gb_per_s": "GB/s, gathered bytes",
    "of_copy": "gathered bytes, of copy bandwidth",
    "compulsory_of_copy": "compulsory bytes, of copy bandwidth",
}


def _add_rows(
    table: Table, label: str, cells: Cells, columns: list[str], read: Read, is_ratio: bool
) -> None:
    """One line per row that has the quantity, with the mean over all cells in the last one."""
    values = {place: read(case) for place, case in cells.items()}
    known = {place: value for place, value in values.items() if value is not None}
    rows = [
        row for row in dict.fromkeys(row for row, _ in cells) if any(r == row for r, _ in known)
    ]
    for row in rows:
        mine = [known[row, column] for column in columns if (row, column) in known]
        texts = [_text(known.get((row, column)), is_ratio) for column in columns]
        first = label if row == rows[0] else ""
        table.add_row(first, row, *texts, _text(geometric_mean(mine), is_ratio))
    if len(rows) > 1:
        mean = _text(geometric_mean(list(known.values())), is_ratio)
        table.add_row("", f"all {len(known)} cells", *[""] * len(columns), f"[bold]{mean}[/bold]")
    table.add_section()


def _text(value: float | None, is_ratio: bool) -> str:
    if value is None:
        return "-"
    text = f"{value:.2f}" if value < 100 else f"{value:.0f}"
    return f"[red]{text}[/red]" if is_ratio and value < 1.0 else text


def _milliseconds(case: CaseRecord) -> float | None:
    assert case.subject is not None
    return 1e3 * case.timings[case.subject].wall.median


def _value(key: str) -> Read:
    return lambda case: case.values.get(key)


def _ratio(peer: str) -> Read:
    return lambda case: next((r.wall.median for r in case.ratios if r.peer == peer), None)


def _memory(peer: str) -> Read:
    def read(case: CaseRecord) -> float | None:
        ours, theirs = case.peak_bytes.get(case.subject or ""), case.peak_bytes.get(peer)
        return theirs / ours if ours and theirs else None

    return read
