"""What the programs cost: a row per program, with ratios against the ticket."""

from __future__ import annotations

from dataclasses import dataclass

from sparsegnn.tickets.measure import Kind


@dataclass(frozen=True)
class Milliseconds:
    """Median and quartiles of one timed function."""

    median: float
    lower_quartile: float
    upper_quartile: float


@dataclass(frozen=True)
class CostRow:
    """One program.

    Attributes:
        kind: Which of the four.
        name: As shown.
        macs_papers: Multiply-accumulates in the papers' convention.
        macs_dense_features: In the executed order, with dense features.
        macs_executed: As executed, with the features as they are stored.
        bytes: Memory of weights and graph with their indices.
        forward: A full forward pass; None when not measured.
        step: A training step: forward, loss, backward, Adam; None when not measured.
        note: What a reader must know beside the figures; "" for nothing.
    """

    kind: Kind
    name: str
    macs_papers: int
    macs_dense_features: int
    macs_executed: int
    bytes: int
    forward: Milliseconds | None
    step: Milliseconds | None
    note: str = ""


def speedup(row: Milliseconds | None, ticket: Milliseconds | None) -> float | None:
    """Returns how many times faster the ticket is than a row; below 1 it is slower."""
    if row is None or ticket is None or ticket.median <= 0:
        return None
    return row.median / ticket.median
