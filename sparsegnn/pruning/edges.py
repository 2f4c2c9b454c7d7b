"""Which stored edges share one mask value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from sparsegnn.graph import Graph


@dataclass(frozen=True)
class EdgeGroups:
    """Candidates for pruning, each a group of stored edges that stay or go together.

    Stored self loops are in no group: layers that add self loops would put a removed one back.

    Shapes:
        - **slot** int64 ``[E]``: group of each edge, ``count`` for an edge in no group.
    """

    slot: Tensor
    count: int

    @classmethod
    def of(cls, graph: Graph, pairs: Literal["undirected", "directed"]) -> EdgeGroups:
        """One group per undirected pair, or one per stored edge; self loops in none."""
        if pairs == "undirected":
            return cls._numbered(graph.pairs()[0], _self_loops(graph))
        edges = torch.arange(graph.num_edges, device=graph.rowptr.device)
        return cls._numbered(edges, _self_loops(graph))

    @classmethod
    def every_edge(cls, graph: Graph) -> EdgeGroups:
        """One group per stored edge, self loops included."""
        edges = torch.arange(graph.num_edges, device=graph.rowptr.device)
        return cls._numbered(edges, torch.zeros_like(edges, dtype=torch.bool))

    @classmethod
    def _numbered(cls, group: Tensor, excluded: Tensor) -> EdgeGroups:
        used, slot = group[~excluded].unique(return_inverse=True)
        slots = torch.full_like(group, used.numel())
        slots[~excluded] = slot
        return cls(slots, used.numel())

    def spread(self, values: Tensor, rest: float | bool = 1.0) -> Tensor:
        """Value of each edge's group ``[E]``, ``rest`` for edges in no group; differentiable."""
        return torch.cat([values, values.new_full((1,), rest)]).index_select(0, self.slot)

    def keep_edges(self, keep: Tensor) -> Tensor:
        """Bool ``[E]``: edges whose group is kept (bool ``[count]``) or that are in no group."""
        return self.spread(keep, True)

    def narrow(self, keep: Tensor) -> EdgeGroups:
        """Groups of the graph that is left when only ``keep`` (bool ``[count]``) groups stay."""
        count = int(keep.sum())
        renumbered = torch.where(keep, keep.cumsum(0) - 1, 0)
        renumbered = torch.cat([renumbered, renumbered.new_full((1,), count)])
        return EdgeGroups(renumbered[self.slot[self.keep_edges(keep)]], count)


def _self_loops(graph: Graph) -> Tensor:
    source, target = graph.edge_index.unbind(0)
    return source.eq(target)
