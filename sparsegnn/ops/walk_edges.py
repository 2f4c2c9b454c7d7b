"""Edges prepared for random walks: ordered by time, weights summed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from sparsegnn.ops._library import call, check_devices, register_fake
from sparsegnn.ops._typed import check_tensor

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
        weight_sum: float64 `[E]` weights summed from here to the end of the row; None without.
    """

    rowptr: Tensor
    col: Tensor
    edge_id: Tensor
    time: Tensor
    floating: bool
    weight_sum: Tensor | None = None

    @staticmethod
    def sort(g: Graph, edge_time: Tensor, weight: Tensor | None = None) -> TemporalEdges:
        """Sorts the edges of `g` by (source, time); equal times stay in stored order.

        Args:
            g: Graph with E edges.
            edge_time: `[E]` in the edges' own order, integer or floating, without NaN.
            weight: `[E]` as in `WeightedEdges.sum`.
        """
        check_square(g)
        _check_edges(g, "edge_time", edge_time)
        stored = g.csr.t_edge_id
        edge_id = torch.arange(g.num_edges, device=g.device) if stored is None else stored.long()
        time = as_integers(edge_time.detach(), "edge_time")[edge_id]
        source = torch.repeat_interleave(g.csr.t_rowptr.diff().long())
        order = time.argsort(stable=True)
        order = order[source[order].argsort(stable=True)]
        index = g.csr.t_rowptr.dtype
        rowptr, col = g.csr.t_rowptr, g.csr.t_col[order]
        edge_id = edge_id[order].to(index)
        sums = None if weight is None else _sum_weights(g, rowptr, col, edge_id, weight)
        floating = edge_time.is_floating_point()
        return TemporalEdges(rowptr, col, edge_id, time[order], floating, sums)


class WeightedEdges(NamedTuple):
    """The edges out of every node with their weights summed; made once, walked often.

    Attributes:
        rowptr: `[K + 1]` as in the transpose of the graph.
        col: `[E]` targets.
        edge_id: `[E]` edges, None for the stored order.
        weight_sum: float64 `[E]` weights summed from here to the end of the row.
    """

    rowptr: Tensor
    col: Tensor
    edge_id: Tensor | None
    weight_sum: Tensor

    @staticmethod
    def sum(g: Graph, weight: Tensor) -> WeightedEdges:
        """Sums the weights of the edges out of every node, in float64 and in stored order.

        Args:
            g: Graph with E edges.
            weight: floating `[E]` in the edges' own order, finite and not negative.
        """
        check_square(g)
        edges = (g.csr.t_rowptr, g.csr.t_col, g.csr.t_edge_id)
        return WeightedEdges(*edges, _sum_weights(g, *edges, weight))


def check_square(g: Graph) -> None:
    """Raises unless `g` is a graph in which every target can be walked from."""
    from sparsegnn.graph import Graph

    if not isinstance(g, Graph):
        raise TypeError(f"g must be a Graph, got {type(g).__name__}.")
    if g.num_src != g.num_dst:
        raise ValueError(
            f"g must have the same nodes as sources and targets, got {g.num_src} and {g.num_dst}."
        )


def as_integers(time: Tensor, name: str) -> Tensor:
    """int64 of the same order; floating times by their bits as float64."""
    if time.dtype == torch.bool or time.is_complex():
        raise ValueError(f"{name} must be integer or floating, got {time.dtype}.")
    if not time.is_floating_point():
        return time.long()
    if time.device.type == "cpu" and bool(time.isnan().any()):
        raise ValueError(f"{name} must not hold NaN, got {int(time.isnan().sum())} of them.")
    bits = (time.double() + 0.0).view(torch.int64)  # + 0.0: both zeros become +0
    return torch.where(bits < 0, bits ^ (2**63 - 1), bits)


def _check_edges(g: Graph, name: str, values: Any, *, floating: bool = False) -> None:
    check_tensor(name, values, g.device, floating=floating)
    if values.shape != (g.num_edges,):
        raise ValueError(f"{name} must have shape [{g.num_edges}], got {list(values.shape)}.")


def _sum_weights(
    g: Graph, rowptr: Tensor, col: Tensor, edge_id: Tensor | None, weight: Tensor
) -> Tensor:
    _check_edges(g, "weight", weight, floating=True)
    values = weight.detach().double().contiguous()
    operator = torch.ops.sparsegnn.walk_weights.default
    sums: Tensor = call(operator, rowptr, col, edge_id, values)
    return sums


@register_fake("sparsegnn::walk_weights")
def _walk_weights_fake(
    rowptr: Tensor, col: Tensor, edge_id: Tensor | None, weight: Tensor
) -> Tensor:
    check_devices(rowptr, col, edge_id, weight)
    return torch.empty_like(weight)
