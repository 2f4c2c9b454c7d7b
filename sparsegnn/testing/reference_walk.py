"""Checks of random walks against the edges they claim to follow, one step at a time."""

from __future__ import annotations

from torch import Tensor


def allowed_edges(
    edge_index: Tensor,
    node: int,
    edge_time: Tensor | None = None,
    clock: float | None = None,
    *,
    strict: bool = False,
) -> list[int]:
    """Edges out of `node` that may follow an edge of time `clock`, by a loop over all edges."""
    found = []
    for edge, source in enumerate(edge_index[0].tolist()):
        if source != node:
            continue
        if edge_time is not None and clock is not None:
            time = edge_time[edge].item()
            if time < clock or (strict and time == clock):
                continue
        found.append(edge)
    return found


def check_walk(
    edge_index: Tensor,
    nodes: Tensor,
    edges: Tensor,
    edge_time: Tensor | None = None,
    start_time: float | None = None,
    *,
    strict: bool = False,
) -> None:
    """Asserts that one walk follows allowed edges and ends only where there is none."""
    clock = start_time
    for step, edge in enumerate(edges.tolist()):
        node = int(nodes[step])
        bound = strict and step > 0
        allowed = (
            [] if node < 0 else allowed_edges(edge_index, node, edge_time, clock, strict=bound)
        )
        if not allowed:
            assert edge == -1 and int(nodes[step + 1]) == -1, (step, edge)
            continue
        assert edge in allowed, (step, edge, allowed)
        assert int(nodes[step + 1]) == int(edge_index[1, edge])
        if edge_time is not None:
            clock = edge_time[edge].item()
