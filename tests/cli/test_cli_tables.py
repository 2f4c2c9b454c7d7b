from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console
from rich.table import Table

from sparsegnn.cli.cost import CostRow, Milliseconds, speedup
from sparsegnn.cli.measure import CURVE_POINTS, curve_rounds
from sparsegnn.cli.stats import RoundSummary, Stat
from sparsegnn.cli.tables import accuracy_table, sparsity_table, time_table, work_table
from sparsegnn.tickets import Count, Sparsity


def text(table: Table) -> str:
    console = Console(width=80, color_system=None)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def summary(round: int, test: float, random: float | None = None, sd: float | None = None):
    n = 1 if sd is None else 5
    drawn = None if random is None else Stat(random, sd, n)
    stat = Stat(test, sd, n)
    return RoundSummary(round, 0.1, 0.2, stat, stat, drawn, drawn)


ROW = CostRow("pyg", "PyG eager", 2_006_800_000, 2_003_400_000, 2_003_400_000, 3_120_000,
              Milliseconds(40.0, 39.0, 41.0), Milliseconds(100.0, 90.0, 110.0))  # fmt: skip
TICKET = CostRow("ticket", "our ticket", 1_000_000_000, 900_000_000, 30_000_000, 990_000,
                 Milliseconds(1.0, 0.9, 1.1), Milliseconds(200.0, 190.0, 210.0))  # fmt: skip


def test_accuracy_of_several_seeds() -> None:
    shown = text(accuracy_table(summary(0, 0.812, sd=0.006), summary(4, 0.805, 0.75, sd=0.01)))
    assert "mean ± sd of 5 seeds" in shown
    assert "81.2 ± 0.6" in shown and "80.5 ± 1.0" in shown and "75.0 ± 1.0" in shown
    assert "-0.7 points" in shown and "-6.2 points" in shown


def test_accuracy_of_one_seed_without_random_ticket() -> None:
    shown = text(accuracy_table(summary(0, 0.812), summary(4, 0.805)))
    assert "one seed" in shown and "±" not in shown and "random" not in shown


def test_sparsity_on_every_base() -> None:
    sparsity = Sparsity(
        Count(80, 100), Count(45, 50), 7, Count(110, 130), Count(4, 10), Count(14, 20)
    )
    shown = text(sparsity_table(sparsity))
    for number in ("20.00", "10.00", "15.38", "60.00", "30.00"):
        assert number in shown
    assert "7 pairs lost one direction only" in shown


def test_losing_cases_are_shown_as_such() -> None:
    shown = text(time_table([ROW, TICKET], "here"))
    assert "40.0x" in shown
    assert "0.50x ▼" in shown
    assert "▼ where it is slower" in shown


def test_program_that_was_not_timed() -> None:
    shown = text(time_table([replace(ROW, forward=None), TICKET], "here"))
    assert "not measured" in shown


def test_note_is_printed() -> None:
    shown = text(time_table([ROW, replace(TICKET, note="runs the dense program")], "here"))
    assert "our ticket: runs the dense program" in shown


def test_tables_fit_eighty_columns() -> None:
    slow = Milliseconds(1160.4, 1120.0, 1190.0)
    rows = [replace(ROW, name="torch composite", forward=slow, step=slow), TICKET]
    for table in (time_table(rows, "here"), work_table(rows)):
        shown = text(table)
        assert "…" not in shown
        assert max(len(line) for line in shown.splitlines()) <= 80


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1160.4, "1,160"), (100.0, "100"), (41.26, "41.3"), (9.876, "9.88"), (0.9126, "0.913")],
)
def test_three_digits(value: float, shown: str) -> None:
    row = replace(ROW, forward=Milliseconds(value, value, value))
    assert f" {shown} ({shown}-{shown})" in text(time_table([row, TICKET], "here"))


def test_speedup() -> None:
    assert speedup(Milliseconds(4, 4, 4), Milliseconds(2, 2, 2)) == 2.0
    assert speedup(None, Milliseconds(2, 2, 2)) is None


@pytest.mark.parametrize("last", range(1, 30))
def test_curve_rounds(last: int) -> None:
    for headline in range(1, last + 1):
        rounds = curve_rounds(last, headline)
        assert headline in rounds
        assert len(rounds) <= CURVE_POINTS
        assert rounds == sorted(set(rounds))
        assert 1 <= rounds[0] and rounds[-1] <= last
