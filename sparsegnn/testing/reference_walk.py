"""Random walks by weight, and checks of walks against the edges they follow, step by step."""

from __future__ import annotations

from torch import Tensor

from sparsegnn.testing.reference_dropout import philox


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


def reference_weighted_walk(
    edge_index: Tensor,
    weight: Tensor,
    walk: int,
    start: int,
    length: int,
    seed: int,
    edge_time: Tensor | None = None,
    start_time: float | None = None,
    *,
    strict: bool = False,
) -> tuple[list[int], list[int]]:
    """Nodes and edges of walk number `walk` of `sparsegnn.ops.random_walk` with weights.

    The allowed edges are lined up by (time, target, edge) and their weights laid end to end from
    the last one; the edge under a random point is taken.
    """
    nodes, edges, clock = [start], [-1] * length, start_time
    for step in range(length):
        allowed = allowed_edges(edge_index, nodes[-1], edge_time, clock, strict=strict and step > 0)
        times = [0 if edge_time is None else edge_time[edge].item() for edge in allowed]
        lined = sorted(zip(times, (int(edge_index[1, e]) for e in allowed), allowed, strict=True))
        words = philox(seed % 2**64, walk, step // 2)[2 * (step % 2) :]
        uniform = ((words[1] << 32 | words[0]) >> 11) / 2**53
        edge = _edge_under(uniform, [(edge, weight[edge].item()) for _, _, edge in lined])
        if edge is None:
            break
        edges[step] = edge
        nodes.append(int(edge_index[1, edge]))
        clock = None if edge_time is None else edge_time[edge].item()
    return nodes + [-1] * (length + 1 - len(nodes)), edges


def _edge_under(uniform: float, weights: list[tuple[int, float]]) -> int | None:
    ends, end = [], 0.0
    for edge, weight in reversed(weights):
        end += weight
        ends.append((edge, end))
    return next((edge for edge, above in ends if above > uniform * end), None)
