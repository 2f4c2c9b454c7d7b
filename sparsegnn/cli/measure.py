"""The measurements of `prune`: the programs side by side, and the tickets of several rounds."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

from sparsegnn.cli.cost import CostRow, Milliseconds
from sparsegnn.cli.search import Search
from sparsegnn.compiler.macs import MacCount
from sparsegnn.compiler.report import Report
from sparsegnn.compiler.timing import BUSY_SHARE, Timing, interleaved
from sparsegnn.nn import GCN
from sparsegnn.tickets import Ticket
from sparsegnn.tickets.measure import Kind, SpeedReport, compare

CURVE_POINTS = 6
_CURVE_SECONDS = 5.0
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


def measure_tickets(search: Search, tickets: Mapping[int, Ticket]) -> tuple[dict[int, float], bool]:
    """Times the forward passes of compiled tickets in turn.

    Returns:
        Medians in milliseconds by round, and whether the machine was busy with other things.
    """
    compiled = {
        str(round): ticket.compile(_gcn(search), search.data).forward
        for round, ticket in tickets.items()
    }
    device = search.data.graph.device
    timings = interleaved(dict(compiled), rounds=21, budget_s=_CURVE_SECONDS, device=device)
    busy = device.type == "cpu" and min(t.cpu_share for t in timings.values()) < BUSY_SHARE
    return {int(round): timing.median_ms for round, timing in timings.items()}, busy


def measure_programs(
    search: Search, ticket: Ticket, on_progress: Callable[[str], None]
) -> tuple[list[CostRow], bool]:
    """Times PyG, the torch composite, our dense model and the ticket in turn.

    Returns:
        Their rows, the ticket's last, and whether the machine was busy with other things.
    """
    on_progress("counting operations")
    report = ticket.compile(_gcn(search), search.data).report()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        speed = compare(ticket, _gcn(search), search.data, on_progress=on_progress)
    return cost_rows(report, speed), speed.busy


def cost_rows(report: Report, speed: SpeedReport) -> list[CostRow]:
    """Joins the operations on every base with bytes and times."""
    ours, whole = report.counted()
    macs: dict[Kind, MacCount] = {
        "pyg": whole,
        "composite": whole,
        "dense": whole,
        "ticket": ours,
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
