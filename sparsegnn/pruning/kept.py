"""What is left of a graph and of a model's weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sparsegnn.graph import Graph
from sparsegnn.mask import Mask
from sparsegnn.pruning.edges import EdgeGroups
from sparsegnn.pruning.subject import Subject
from sparsegnn.pruning.weights import WeightSlots
from sparsegnn.tickets import Ticket


@dataclass(frozen=True)
class Kept:
    """Surviving edges and weights of a run after some rounds.

    Attributes:
        edges: bool ``[E]`` over the stored edges of the whole graph.
        graph: the whole graph without the removed edges.
        groups: the surviving candidates, over the edges of ``graph``.
        slots: the surviving weights.
        graph_sparsity: share of stored edges removed.
        weight_sparsity: share of maskable weights removed.
    """

    edges: Tensor
    graph: Graph
    groups: EdgeGroups
    slots: list[WeightSlots]

    @classmethod
    def everything(cls, subject: Subject) -> Kept:
        """The unpruned state of round 0."""
        graph = subject.data.graph
        edges = torch.ones(graph.num_edges, dtype=torch.bool, device=subject.groups.slot.device)
        return cls(edges, graph, subject.groups, list(subject.slots))

    @classmethod
    def of_ticket(cls, subject: Subject, ticket: Ticket) -> Kept:
        """The state a ticket of the same run was trained in."""
        full = cls.everything(subject)
        groups = torch.zeros(full.groups.count + 1, dtype=torch.bool, device=full.edges.device)
        groups[full.groups.slot] = (
            ticket.edge_mask_for(subject.data.graph).to_bool().to(full.edges.device)
        )
        return full.narrow(
            groups[:-1],
            [
                slot.gather(ticket.weight_masks[slot.name].to_bool().to(full.edges.device))
                for slot in full.slots
            ],
        )

    def narrow(self, groups: Tensor, weights: list[Tensor]) -> Kept:
        """The state in which only these candidates (bool) of the present ones stay."""
        kept_here = self.groups.keep_edges(groups)
        edges = self.edges.clone()
        edges[self.edges] = kept_here
        slots = [slot.narrow(keep) for slot, keep in zip(self.slots, weights, strict=True)]
        return Kept(edges, self.graph.select(kept_here), self.groups.narrow(groups), slots)

    @property
    def graph_sparsity(self) -> float:
        """Share of stored edges removed."""
        total = self.edges.numel()
        return 1.0 - self.graph.num_edges / total if total else 0.0

    @property
    def weight_sparsity(self) -> float:
        """Share of maskable weights removed."""
        return 1.0 - sum(s.count for s in self.slots) / sum(s.total for s in self.slots)

    def edge_mask(self) -> Mask:
        """Kept stored edges, packed."""
        return Mask.from_bool(self.edges.cpu())

    def weight_masks(self) -> dict[str, Mask]:
        """Kept entries of each maskable parameter, packed."""
        return {slot.name: Mask.from_bool(slot.mask()) for slot in self.slots}
