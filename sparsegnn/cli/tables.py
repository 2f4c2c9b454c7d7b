"""The tables at the end of a run."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from sparsegnn.cli.cells import SLOWER, byte_count, millions, milliseconds, new_table, ratio
from sparsegnn.cli.cost import CostRow, Milliseconds, speedup
from sparsegnn.cli.stats import RoundSummary, Stat
from sparsegnn.tickets import Sparsity
from sparsegnn.tickets.sparsity import Count


def accuracy_table(dense: RoundSummary, ticket: RoundSummary) -> Table:
    """Accuracy of the dense model, the ticket, and a random ticket of the same sparsity."""
    several = dense.test.n > 1
    spread = f"mean ± sd of {dense.test.n} seeds" if several else "one seed"
    table = new_table(f"Accuracy ({spread})", "model", "validation %", "test %", "against dense")
    table.add_row("dense", _stat(dense.val), _stat(dense.test), "")
    name = f"ticket, round {ticket.round}"
    table.add_row(name, _stat(ticket.val), _stat(ticket.test), _points(ticket.test, dense.test))
    if ticket.random_val is not None and ticket.random_test is not None:
        gap = _points(ticket.random_test, dense.test)
        table.add_row("random ticket", _stat(ticket.random_val), _stat(ticket.random_test), gap)
    return table


def sparsity_table(sparsity: Sparsity) -> Table:
    """What the ticket keeps, on every base."""
    table = new_table("Sparsity of the ticket", "base", "all", "kept", "removed %")
    bases: list[tuple[str, Count | None]] = [
        ("edges, directed entries", sparsity.edges),
        ("edges, undirected pairs", sparsity.pairs),
        ("edges, with self loops", sparsity.edges_with_loops),
        ("weights, masked tensors", sparsity.masked_weights),
        ("weights, all parameters", sparsity.parameters),
    ]
    for name, count in bases:
        if count is not None:
            removed = f"{100 * count.sparsity:.2f}"
            table.add_row(name, f"{count.total:,}", f"{count.kept:,}", removed)
    if sparsity.pairs_cut_one_way:
        table.caption = f"{sparsity.pairs_cut_one_way:,} pairs lost one direction only"
    return table


def work_table(rows: Sequence[CostRow]) -> Table:
    """Operations on every base, and bytes."""
    table = new_table(
        "Work of one forward pass",
        *("program", "MACs: papers", "dense x", "executed", "bytes"),
    )
    for row in rows:
        table.add_row(
            row.name,
            millions(row.macs_papers),
            millions(row.macs_dense_features),
            millions(row.macs_executed),
            byte_count(row.bytes),
        )
    table.caption = (
        "papers: dense features, graph first, no self loops\n"
        "dense x: the executed order, with dense features\n"
        "executed: the executed order, with features as they are held\n"
        "bytes: weights and graph"
    )
    return table


def time_table(rows: Sequence[CostRow], where: str, busy: bool = False) -> Table:
    """Measured milliseconds, and how many times faster the ticket is than every other program."""
    table = new_table(
        f"Measured time, {where}",
        *("program", "forward ms", "ratio", "training step ms", "ratio"),
    )
    ticket = next(row for row in rows if row.kind == "ticket")
    for row in rows:
        table.add_row(
            row.name,
            _ms(row.forward),
            "" if row is ticket else ratio(speedup(row.forward, ticket.forward)),
            _ms(row.step),
            "" if row is ticket else ratio(speedup(row.step, ticket.step)),
        )
    notes = [f"{row.name}: {row.note}" for row in rows if row.note]
    meaning = f"median (quartiles); ratio to the ticket, {SLOWER} where it is slower"
    if busy:
        notes.append("other processes held the cores meanwhile: measure again")
    table.caption = "\n".join([meaning, *notes])
    return table


def _stat(stat: Stat) -> str:
    mean = f"{100 * stat.mean:.1f}"
    return mean if stat.sd is None else f"{mean} ± {100 * stat.sd:.1f}"


def _points(stat: Stat, dense: Stat) -> str:
    return f"{100 * (stat.mean - dense.mean):+.1f} points"


def _ms(value: Milliseconds | None) -> str:
    if value is None:
        return "not measured"
    return milliseconds(value.median, value.lower_quartile, value.upper_quartile)
