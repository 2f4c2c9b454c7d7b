"""Sparsity of a ticket on every base that the literature uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from sparsegnn.graph import Graph

if TYPE_CHECKING:
    from sparsegnn.tickets.ticket import Ticket


@dataclass(frozen=True)
class Count:
    """Kept and total entries of one base."""

    kept: int
    total: int

    @property
    def sparsity(self) -> float:
        """Share removed, in [0, 1]; 0 for an empty base."""
        return 1.0 - self.kept / self.total if self.total else 0.0


@dataclass(frozen=True)
class Sparsity:
    """What a ticket keeps, on every base.

    Attributes:
        edges: Stored directed entries, without added self loops (the base of UGS).
        pairs: Undirected pairs {i, j}; a pair is kept while one direction is.
        pairs_cut_one_way: Pairs that lost some but not all of their entries.
        edges_with_loops: Entries after every node has its self loop (the base of FastGLT).
        masked_weights: Entries of the masked tensors only.
        parameters: Entries of all tensors of the state dict.
    """

    edges: Count
    pairs: Count | None
    pairs_cut_one_way: int | None
    edges_with_loops: Count | None
    masked_weights: Count
    parameters: Count


def sparsity(ticket: Ticket, graph: Graph | None = None) -> Sparsity:
    """Counts what `ticket` keeps; the pair and loop bases need its `graph`.

    Raises:
        TicketError: `graph` is not the ticket's.
    """
    edges = Count(ticket.edge_mask.count, ticket.edge_mask.numel)
    kept = sum(mask.count for mask in ticket.weight_masks.values())
    masked = sum(mask.numel for mask in ticket.weight_masks.values())
    total = sum(value.numel() for value in ticket.state.values())
    weights = Count(kept, masked)
    parameters = Count(total - masked + kept, total)
    if graph is None:
        return Sparsity(edges, None, None, None, weights, parameters)
    pairs, cut = _pairs(ticket, graph)
    loops = Count(
        ticket.prune(graph).with_self_loops().num_edges, graph.with_self_loops().num_edges
    )
    return Sparsity(edges, pairs, cut, loops, weights, parameters)


def _pairs(ticket: Ticket, graph: Graph) -> tuple[Count, int]:
    pair_id, num_pairs = graph.pairs()
    keep = ticket.edge_mask_for(graph).to_bool()
    size = torch.bincount(pair_id, minlength=num_pairs)
    kept = torch.bincount(pair_id[keep], minlength=num_pairs)
    cut = int(((kept > 0) & (kept < size)).sum())
    return Count(int((kept > 0).sum()), num_pairs), cut
