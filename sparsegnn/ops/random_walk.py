"""Random walks, static and in the order of time, uniform or by edge weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from sparsegnn.ops._library import call, check_devices, register_fake
from sparsegnn.ops._typed import check_int, check_tensor
from sparsegnn.ops.walk_edges import TemporalEdges, WeightedEdges, as_integers, check_square

if TYPE_CHECKING:
    from sparsegnn.graph import Graph


def random_walk(
    g: Graph | TemporalEdges | WeightedEdges,
    start: Tensor,
    length: int,
    *,
    seed: int,
    edge_time: Tensor | None = None,
    start_time: Tensor | None = None,
    strict: bool = False,
    weight: Tensor | None = None,
    return_edges: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Walks `length` steps from source to target along edges drawn from those that may follow.

    Each of them is as likely as the others or, with weights, in proportion to its weight; an edge
    of weight 0 is never taken, and where all that may follow weigh 0 the walk ends. With times an
    edge may follow when its time is not below that of the edge before it (Nguyen et al.,
    "Continuous-Time Dynamic Network Embeddings", WWW 2018 companion). The choice is a function of
    (seed, walk, step), and weights are summed in a fixed order in float64: the same walks on every
    device and any thread count.

    Args:
        g: A graph; or `TemporalEdges` or `WeightedEdges`, which save sorting the edges and summing
            their weights at every call.
        start: int64 `[W]` first nodes.
        length: Steps of every walk.
        seed: Of the choices, any 64-bit integer.
        edge_time: `[E]` integer or floating, in the edges' own order.
        start_time: `[W]`, the dtype family of the times: the first edge is not before it.
        strict: An edge's time must be above that of the edge before it.
        weight: floating `[E]` in the edges' own order, finite and not negative.
        return_edges: Return the edges too.

    Returns:
        int64 `[W, length + 1]` nodes, -1 after a walk has ended; with `return_edges` also int64
        `[W, length]` edges, -1 where none was taken.

    Raises:
        ValueError: A shape, dtype, device, node or weight does not fit. On a GPU a start that is
            not a node gives a walk of -1 instead, and a walk ends where it may take an edge of a
            weight that is negative or not finite: checking would wait for the device.
        TypeError: length or seed is not an int.
    """
    check_int("length", length)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise TypeError(f"seed must be an int, got {type(seed).__name__}.")
    for name, flag in (("strict", strict), ("return_edges", return_edges)):
        if not isinstance(flag, bool):
            raise TypeError(f"{name} must be a bool, got {type(flag).__name__}.")
    edges = _prepared(g, edge_time, weight)
    rowptr, col, edge_id = edges[:3]
    check_tensor("start", start, rowptr.device)
    if start_time is not None:
        check_tensor("start_time", start_time, rowptr.device)
    nodes, taken = call(
        torch.ops.sparsegnn.random_walk.default,
        rowptr,
        col,
        edge_id,
        edges.time if isinstance(edges, TemporalEdges) else None,
        edges.weight_sum,
        start.contiguous(),
        _start_times(edges, start_time),
        length,
        (seed + 2**63) % 2**64 - 2**63,
        strict,
        return_edges,
    )
    return (nodes, taken) if return_edges else nodes


class _PlainEdges(NamedTuple):
    rowptr: Tensor
    col: Tensor
    edge_id: Tensor | None
    weight_sum: None = None


def _prepared(
    g: Graph | TemporalEdges | WeightedEdges, edge_time: Tensor | None, weight: Tensor | None
) -> TemporalEdges | WeightedEdges | _PlainEdges:
    if isinstance(g, (TemporalEdges, WeightedEdges)):
        for name, values in (("edge_time", edge_time), ("weight", weight)):
            if values is not None:
                raise ValueError(f"{name} must not be given beside {type(g).__name__}, got both.")
        return g
    if edge_time is not None:
        return TemporalEdges.sort(g, edge_time, weight)
    if weight is not None:
        return WeightedEdges.sum(g, weight)
    check_square(g)
    return _PlainEdges(g.csr.t_rowptr, g.csr.t_col, g.csr.t_edge_id)


def _start_times(
    edges: TemporalEdges | WeightedEdges | _PlainEdges, start_time: Tensor | None
) -> Tensor | None:
    if start_time is None:
        return None
    if not isinstance(edges, TemporalEdges):
        raise ValueError("start_time must come with edge_time, got no edge_time.")
    if start_time.is_floating_point() != edges.floating:
        kind = "floating" if edges.floating else "integer"
        raise ValueError(f"start_time must be {kind} as edge_time is, got {start_time.dtype}.")
    return as_integers(start_time.detach(), "start_time").contiguous()


@register_fake("sparsegnn::random_walk")
def _random_walk_fake(
    rowptr: Tensor,
    col: Tensor,
    edge_id: Tensor | None,
    time: Tensor | None,
    weight_sum: Tensor | None,
    start: Tensor,
    start_time: Tensor | None,
    length: int,
    seed: int,
    strict: bool,
    with_edges: bool,
) -> tuple[Tensor, Tensor]:
    check_devices(rowptr, col, edge_id, time, weight_sum, start, start_time)
    walks = start.shape[0]
    edges = start.new_empty(walks, length if with_edges else 0)
    return start.new_empty(walks, length + 1), edges
