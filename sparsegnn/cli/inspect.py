"""`sparsegnn inspect`: what a ticket file holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from sparsegnn.tickets import Ticket
from sparsegnn.tickets.sparsity import Count


def run_inspect(console: Console, path: Path, *, hash_only: bool) -> None:
    """Prints a ticket's content, or its hash alone.

    Raises:
        OSError: The file cannot be read.
        TicketError: The file is damaged, foreign or of a newer version.
    """
    ticket = Ticket.load(path)
    if hash_only:
        console.print(ticket.sha256(), soft_wrap=True, highlight=False)
        return
    console.print(_facts(path, ticket))
    console.print(_tensors(ticket))


def _facts(path: Path, ticket: Ticket) -> Table:
    sparsity = ticket.sparsity()
    facts: dict[str, Any] = {
        "file": f"{path} ({path.stat().st_size:,} bytes)",
        "sha256": ticket.sha256(),
        "method": f"{ticket.method}, seed {ticket.seed}, round {ticket.round}",
        "graph": ticket.graph_fingerprint,
        "edges": _count(sparsity.edges),
        "weights, masked tensors": _count(sparsity.masked_weights),
        "weights, all parameters": _count(sparsity.parameters),
        "metrics": _pairs(ticket.metrics),
        "config": _pairs(ticket.config),
    }
    table = Table(title="Ticket", title_justify="left", box=box.SIMPLE, show_header=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, value)
    return table


def _tensors(ticket: Ticket) -> Table:
    table = Table(title="Tensors", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("key")
    for name in ("shape", "dtype", "kept"):
        table.add_column(name, justify="right")
    for key, value in ticket.state.items():
        mask = ticket.weight_masks.get(key)
        kept = "not masked" if mask is None else _count(Count(mask.count, mask.numel))
        dtype = str(value.dtype).removeprefix("torch.")
        table.add_row(key, " x ".join(map(str, value.shape)), dtype, kept)
    return table


def _count(count: Count) -> str:
    return f"{count.kept:,} of {count.total:,} kept, {100 * count.sparsity:.2f} % removed"


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())
