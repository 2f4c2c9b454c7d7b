"""The measurements of `prune`: the programs side by side, and the tickets of several rounds."""

from __future__ import annotations

from sparsegnn.cli.cost import CostRow, Milliseconds
from sparsegnn.cli.search import Search
from sparsegnn.nn import GCN
from sparsegnn.tickets import Ticket
from sparsegnn.tickets.timing import Timing

CURVE_POINTS = 6


def curve_rounds(last: int, headline: int) -> list[int]:
    """Returns at most `CURVE_POINTS` rounds from 1 to `last`, evenly spread, with the headline."""
    count = min(CURVE_POINTS, last)
    spread = [round(1 + step * (last - 1) / max(count - 1, 1)) for step in range(count)]
    nearest = min(spread, key=lambda each: abs(each - headline))
    return sorted({headline if each == nearest else each for each in spread})


def measure_ticket(search: Search, ticket: Ticket) -> float:
    """Returns the median milliseconds of a forward pass of the compiled ticket."""
    report = ticket.compile(_gcn(search), search.data).report()
    timing = report.masked_ms if report.plan == "dense" else report.compiled_ms
    assert timing is not None
    return timing.median_ms


def measure_programs(search: Search, ticket: Ticket) -> list[CostRow]:
    """Times the dense model and the ticket in turn."""
    report = ticket.compile(_gcn(search), search.data).report()
    fell_back = report.plan == "dense"
    return [
        CostRow(
            "dense",
            "sparsegnn, dense",
            report.macs_dense.papers,
            report.macs_dense.executed_dense_features,
            report.macs_dense.executed,
            report.memory_dense.weights,
            report.memory_dense.graph,
            _milliseconds(report.dense_ms),
            None,
        ),
        CostRow(
            "ticket",
            "sparsegnn, ticket",
            report.macs.papers,
            report.macs.executed_dense_features,
            report.macs.executed,
            report.memory.weights,
            report.memory.graph,
            _milliseconds(report.masked_ms if fell_back else report.compiled_ms),
            None,
            note=report.reason if fell_back else "",
        ),
    ]


def _gcn(search: Search) -> GCN:
    model = search.model()
    assert isinstance(model, GCN)
    return model


def _milliseconds(timing: Timing | None) -> Milliseconds | None:
    if timing is None:
        return None
    return Milliseconds(timing.median_ms, timing.lower_quartile_ms, timing.upper_quartile_ms)
