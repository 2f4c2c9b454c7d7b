"""The measurements of `prune`: the programs side by side, and the tickets of several rounds."""

from __future__ import annotations

from collections.abc import Callable

from sparsegnn.cli.cost import CostRow, Milliseconds
from sparsegnn.cli.search import Search
from sparsegnn.nn import GCN
from sparsegnn.tickets import Ticket
from sparsegnn.tickets.macs import MacCount
from sparsegnn.tickets.measure import Kind, SpeedReport, compare, measure_forward
from sparsegnn.tickets.report import Report
from sparsegnn.tickets.timing import Timing

CURVE_POINTS = 6
_NAMES: dict[Kind, str] = {
    "pyg": "PyG eager",
    "composite": "torch composite",
    "dense": "our dense model",
    "ticket": "our ticket",
}


def curve_rounds(last: int, headline: int) -> list[int]:
    """Returns at most `CURVE_POINTS` rounds from 1 to `last`, evenly spread, with the headline."""
    count = min(CURVE_POINTS, last)
    spread = [round(1 + step * (last - 1) / max(count - 1, 1)) for step in range(count)]
    nearest = min(spread, key=lambda each: abs(each - headline))
    return sorted({headline if each == nearest else each for each in spread})


def measure_ticket(search: Search, ticket: Ticket) -> float:
    """Returns the median milliseconds of a forward pass of the compiled ticket."""
    return measure_forward(ticket.compile(_gcn(search), search.data)).median_ms


def measure_programs(
    search: Search, ticket: Ticket, on_progress: Callable[[str], None]
) -> tuple[list[CostRow], bool]:
    """Times PyG, the torch composite, our dense model and the ticket in turn.

    Returns:
        Their rows, the ticket's last, and whether the machine was busy with other things.
    """
    on_progress("compiling the ticket")
    report = ticket.compile(_gcn(search), search.data).report()
    speed = compare(ticket, _gcn(search), search.data, on_progress=on_progress)
    return cost_rows(report, speed), speed.busy


def cost_rows(report: Report, speed: SpeedReport) -> list[CostRow]:
    """Joins the operations on every base with bytes and times."""
    macs: dict[Kind, MacCount] = {
        "pyg": report.macs_dense,
        "composite": report.macs_dense,
        "dense": report.macs_dense,
        "ticket": report.macs,
    }
    return [
        CostRow(
            kind=row.kind,
            name=_NAMES[row.kind],
            macs_papers=macs[row.kind].papers,
            macs_dense_features=macs[row.kind].executed_dense_features,
            macs_executed=row.macs,
            bytes=row.bytes,
            forward=_milliseconds(row.forward),
            step=None if row.step is None else _milliseconds(row.step),
            note=row.note or "",
        )
        for row in speed.rows
    ]


def _gcn(search: Search) -> GCN:
    model = search.model()
    assert isinstance(model, GCN)
    return model


def _milliseconds(timing: Timing) -> Milliseconds:
    return Milliseconds(timing.median_ms, timing.lower_quartile_ms, timing.upper_quartile_ms)
