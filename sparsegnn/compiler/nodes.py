"""Which nodes every value of a network is needed for.

A row of a value depends on the same row of what it is computed from, and through an aggregation on
the rows of its neighbours: walking back from the requested rows gives the nodes of every value.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sparsegnn.compiler.network import INPUT, Network
from sparsegnn.graph import Graph

# A value is computed for all nodes where it is needed for this share of them: to leave out the few
# others costs copies of the rest wherever a layer reads its own rows.
WHOLE_FROM = 0.75


@dataclass(frozen=True, eq=False)
class NodeSet:
    """The nodes that a value has rows for.

    Attributes:
        num_nodes: N.
        index: int64, in the order of the rows; None for all nodes in their own order.
    """

    num_nodes: int
    index: Tensor | None = None

    def __len__(self) -> int:
        """Rows."""
        return self.num_nodes if self.index is None else len(self.index)

    def places(self, nodes: Tensor) -> Tensor:
        """The rows of these nodes, int64."""
        if self.index is None:
            return nodes
        place = torch.full((self.num_nodes,), -1, device=nodes.device)
        place[self.index] = torch.arange(len(self.index), device=nodes.device)
        return place[nodes]


class NodeSets:
    """The sets of nodes that a network needs, every one once.

    Args:
        num_nodes: N.
        order: int64 `[N]`, the order of all rows; None for the nodes' own.
    """

    def __init__(self, num_nodes: int, order: Tensor | None = None) -> None:
        self.everything = NodeSet(num_nodes)
        self._order = order
        self._known: list[tuple[Tensor, NodeSet]] = []

    def of(self, needed: Tensor) -> NodeSet:
        """The set of the nodes that a bool vector `[N]` names."""
        if self._order is None and bool(needed.all()):
            return self.everything
        for known, nodes in self._known:
            if torch.equal(known, needed):
                return nodes
        order = self._order
        index = needed.nonzero()[:, 0] if order is None else order[needed[order]]
        self._known.append((needed, NodeSet(len(needed), index)))
        return self._known[-1][1]


def as_indices(nodes: Tensor | None, graph: Graph) -> Tensor | None:
    """The requested nodes as int64, None when they are all nodes in their own order.

    Args:
        nodes: int64 indices, in any order, also repeated; a bool mask `[N]`; None for all.
        graph: Of N nodes.

    Raises:
        TypeError: It is neither.
        ValueError: The shape is wrong, or an index is out of range (its position is named).
    """
    if nodes is None:
        return None
    if not isinstance(nodes, Tensor):
        raise TypeError(f"nodes must be int64 indices or a bool mask, got {type(nodes).__name__}")
    if nodes.dtype not in (torch.int64, torch.bool):
        raise TypeError(f"nodes must be int64 indices or a bool mask, got {nodes.dtype}")
    num_nodes = graph.num_nodes
    if nodes.dtype == torch.bool and nodes.shape != (num_nodes,):
        raise ValueError(f"nodes must have shape [{num_nodes}] as a mask, got {list(nodes.shape)}")
    if nodes.dim() != 1:
        raise ValueError(f"nodes must have shape [n], got {list(nodes.shape)}")
    index = (nodes.nonzero()[:, 0] if nodes.dtype == torch.bool else nodes.clone()).to(graph.device)
    wrong = ((index < 0) | (index >= num_nodes)).nonzero()[:, 0]
    if len(wrong) > 0:
        place = int(wrong[0])
        raise ValueError(
            f"nodes must lie in [0, {num_nodes}), got {int(index[place])} at position {place}"
        )
    whole = torch.arange(num_nodes, device=index.device)
    return None if torch.equal(index, whole) else index


def features_read(network: Network, num_nodes: int, requested: Tensor | None) -> Tensor | None:
    """The nodes, int64, whose features the requested rows can depend on; None for all."""
    if requested is None:
        return None
    needed = needed_nodes(network.without_unused(), mask_of(requested, num_nodes))[INPUT]
    return None if bool(needed.all()) else needed.nonzero()[:, 0]


def needed_nodes(network: Network, requested: Tensor) -> dict[int, Tensor]:
    """Per value the nodes, bool `[N]`, whose rows the requested rows of the result depend on."""
    needed = {value: torch.zeros_like(requested) for value in (INPUT, *network.operations)}
    needed[network.output] |= requested
    for value, operation in reversed(network.operations.items()):
        _widen(needed[value])
        for source, read in zip(operation.inputs, operation.nodes_read(needed[value]), strict=True):
            needed[source] |= read
    _widen(needed[INPUT])
    return needed


def mask_of(nodes: Tensor, num_nodes: int) -> Tensor:
    """Bool `[N]` of int64 indices."""
    named = torch.zeros(num_nodes, dtype=torch.bool, device=nodes.device)
    named[nodes] = True
    return named


def _widen(needed: Tensor) -> None:
    if int(needed.sum()) >= WHOLE_FROM * len(needed):
        needed.fill_(True)
