"""Random walks, static and in the order of time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from sparsegnn.ops._library import call, check_devices, register_fake
from sparsegnn.ops._typed import check_int, check_tensor

if TYPE_CHECKING:
    from sparsegnn.graph import Graph


class TemporalEdges(NamedTuple):
    """The edges out of every node by ascending time; made once, walked often.

    Attributes:
        rowptr: `[K + 1]` as in the transpose of the graph.
        col: `[E]` targets.
        edge_id: `[E]` edges.
        time: int64 `[E]` times; those of floating edges as integers of the same order.
        floating: Whether the edges' times are floating point numbers.
    """

    rowptr: Tensor
    col: Tensor
    edge_id: Tensor
    time: Tensor
    floating: bool

    @staticmethod
    def sort(g: Graph, edge_time: Tensor) -> TemporalEdges:
        """Sorts the edges of `g` by (source, time); equal times stay in stored order.

        Args:
            g: Graph with E edges.
            edge_time: `[E]` in the edges' own order, integer or floating, without NaN.
        """
        _check_square(g)
        check_tensor("edge_time", edge_time, g.device)
        if edge_time.shape != (g.num_edges,):
            raise ValueError(
                f"edge_time must have shape [{g.num_edges}], got {list(edge_time.shape)}."
            )
        stored = g.csr.t_edge_id
        edge_id = torch.arange(g.num_edges, device=g.device) if stored is None else stored.long()
        time = _as_integers(edge_time.detach(), "edge_time")[edge_id]
        source = torch.repeat_interleave(g.csr.t_rowptr.diff().long())
        order = time.argsort(stable=True)
        order = order[source[order].argsort(stable=True)]
        index = g.csr.t_rowptr.dtype
        return TemporalEdges(
            g.csr.t_rowptr,
            g.csr.t_col[order],
            edge_id[order].to(index),
            time[order],
            edge_time.is_floating_point(),
        )


def random_walk(
    g: Graph | TemporalEdges,
    start: Tensor,
    length: int,
    *,
    seed: int,
    edge_time: Tensor | None = None,
    start_time: Tensor | None = None,
    strict: bool = False,
    return_edges: bool = False,
) -> Tensor | tuple[Tensor, Tensor]:
    """Walks `length` steps from source to target, each edge uniform among those that may follow.

    With times an edge may follow when its time is not below that of the edge before it (Nguyen et
    al., "Continuous-Time Dynamic Network Embeddings", WWW 2018 companion). The choice is an integer
    function of (seed, walk, step): the same walks on every device and any thread count.

    Args:
        g: A graph, or `TemporalEdges`, which saves sorting the edges at every call.
        start: int64 `[W]` first nodes.
        length: Steps of every walk.
        seed: Of the choices, any 64-bit integer.
        edge_time: `[E]` integer or floating, in the edges' own order.
        start_time: `[W]`, the dtype family of the times: the first edge is not before it.
        strict: An edge's time must be above that of the edge before it.
        return_edges: Return the edges too.

    Returns:
        int64 `[W, length + 1]` nodes, -1 after a walk has ended; with `return_edges` also int64
        `[W, length]` edges, -1 where none was taken.

    Raises:
        ValueError: A shape, dtype, device or node does not fit. On a GPU a start that is not a node
            gives a walk of -1 instead, as checking it would wait for the device.
        TypeError: length or seed is not an int.
    """
    check_int("length", length)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise TypeError(f"seed must be an int, got {type(seed).__name__}.")
    for name, flag in (("strict", strict), ("return_edges", return_edges)):
        if not isinstance(flag, bool):
            raise TypeError(f"{name} must be a bool, got {type(flag).__name__}.")
    edges = g if edge_time is None else _sorted(g, edge_time)
    edge_id: Tensor | None
    times: Tensor | None = None
    if isinstance(edges, TemporalEdges):
        rowptr, col, edge_id, times = edges[:4]
    else:
        _check_square(edges)
        rowptr, col, edge_id = edges.csr.t_rowptr, edges.csr.t_col, edges.csr.t_edge_id
    check_tensor("start", start, rowptr.device)
    if start_time is not None:
        check_tensor("start_time", start_time, rowptr.device)
    nodes, taken = call(
        torch.ops.sparsegnn.random_walk.default,
        rowptr,
        col,
        edge_id,
        times,
        start.contiguous(),
        _start_times(edges, start_time),
        length,
        (seed + 2**63) % 2**64 - 2**63,
        strict,
        return_edges,
    )
    return (nodes, taken) if return_edges else nodes


def _check_square(g: Graph) -> None:
    from sparsegnn.graph import Graph

    if not isinstance(g, Graph):
        raise TypeError(f"g must be a Graph, got {type(g).__name__}.")
    if g.num_src != g.num_dst:
        raise ValueError(
            f"g must have the same nodes as sources and targets, got {g.num_src} and {g.num_dst}."
        )


def _sorted(g: Graph | TemporalEdges, edge_time: Tensor) -> TemporalEdges:
    if isinstance(g, TemporalEdges):
        raise ValueError("edge_time must not be given beside TemporalEdges, got both.")
    return TemporalEdges.sort(g, edge_time)


def _start_times(edges: Graph | TemporalEdges, start_time: Tensor | None) -> Tensor | None:
    if start_time is None:
        return None
    if not isinstance(edges, TemporalEdges):
        raise ValueError("start_time must come with edge_time, got no edge_time.")
    if start_time.is_floating_point() != edges.floating:
        kind = "floating" if edges.floating else "integer"
        raise ValueError(f"start_time must be {kind} as edge_time is, got {start_time.dtype}.")
    return _as_integers(start_time.detach(), "start_time").contiguous()


def _as_integers(time: Tensor, name: str) -> Tensor:
    """int64 of the same order; floating times by their bits as float64."""
    if time.dtype == torch.bool or time.is_complex():
        raise ValueError(f"{name} must be integer or floating, got {time.dtype}.")
    if not time.is_floating_point():
        return time.long()
    if time.device.type == "cpu" and bool(time.isnan().any()):
        raise ValueError(f"{name} must not hold NaN, got {int(time.isnan().sum())} of them.")
    bits = (time.double() + 0.0).view(torch.int64)  # + 0.0: both zeros become +0
    return torch.where(bits < 0, bits ^ (2**63 - 1), bits)


@register_fake("sparsegnn::random_walk")
def _random_walk_fake(
    rowptr: Tensor,
    col: Tensor,
    edge_id: Tensor | None,
    time: Tensor | None,
    start: Tensor,
    start_time: Tensor | None,
    length: int,
    seed: int,
    strict: bool,
    with_edges: bool,
) -> tuple[Tensor, Tensor]:
    check_devices(rowptr, col, edge_id, time, start, start_time)
    walks = start.shape[0]
    edges = start.new_empty(walks, length if with_edges else 0)
    return start.new_empty(walks, length + 1), edges
