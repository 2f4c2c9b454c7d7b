"""The generalised means of DeeperGCN, with PyG's options and state_dict keys."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sparsegnn.graph import Graph
from sparsegnn.nn.aggregate import aggregate, as_reduce
from sparsegnn.nn.edge_messages import softmax_over_edges
from sparsegnn.ops import softmax_aggregate
from sparsegnn.ops._edge_values import EdgeMask


class SoftmaxAggregation(nn.Module):
    """`sum_j p_j m_j` by channel, where p is the softmax of `t m` over the kept edges.

    Args:
        t: Inverse temperature, or its start.
        learn: Whether t is learned.
        semi_grad: Whether p has no gradient; it is then computed edge by edge.
        channels: Number of learned values of t: 1, or one a channel.
    """

    def __init__(
        self, t: float = 1.0, learn: bool = False, semi_grad: bool = False, channels: int = 1
    ) -> None:
        super().__init__()
        if learn and semi_grad:
            raise ValueError("semi_grad must be False where t is learned, got True.")
        if not learn and channels != 1:
            raise ValueError(f"channels must be 1 unless t is learned, got {channels}.")
        self._init_t, self.learn, self.semi_grad, self.channels = t, learn, semi_grad, channels
        self.t = nn.Parameter(torch.empty(channels)) if learn else t
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The start of t."""
        if isinstance(self.t, Tensor):
            nn.init.constant_(self.t, self._init_t)

    def forward(self, graph: Graph, x: Tensor, eps: float, edge_mask: EdgeMask) -> Tensor:
        """Aggregates the messages `relu(x) + eps` of the sources."""
        if self.semi_grad:
            return softmax_over_edges(graph, x.relu() + eps, self.t, edge_mask)
        return softmax_aggregate(graph, x, self.t, edge_mask, eps=eps)


class PowerMeanAggregation(nn.Module):
    """`(mean_j m_j^p)^(1/p)` by channel, over the kept edges.

    The power is taken once a node, not once an edge.

    Args:
        p: The power, or its start.
        learn: Whether p is learned.
        channels: Number of learned values of p: 1, or one a channel.
        clamp_min: Lower bound of messages and means, unless p is the number 1.
        clamp_max: Upper bound of them.
    """

    def __init__(
        self,
        p: float = 1.0,
        learn: bool = False,
        channels: int = 1,
        clamp_min: float | None = 1e-4,
        clamp_max: float | None = 100.0,
    ) -> None:
        super().__init__()
        if not learn and channels != 1:
            raise ValueError(f"channels must be 1 unless p is learned, got {channels}.")
        self._init_p, self.learn, self.channels = p, learn, channels
        self.min_value, self.max_value = clamp_min, clamp_max
        self.p = nn.Parameter(torch.empty(channels)) if learn else p
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The start of p."""
        if isinstance(self.p, Tensor):
            nn.init.constant_(self.p, self._init_p)

    def forward(self, graph: Graph, x: Tensor, eps: float, edge_mask: EdgeMask) -> Tensor:
        """Aggregates the messages `relu(x) + eps` of the sources."""
        messages = x.relu() + eps
        if not isinstance(self.p, Tensor) and self.p == 1:
            return aggregate(graph, messages, None, edge_mask, reduce="mean")
        powers = self._clamped(messages).pow(self.p)
        means = aggregate(graph, powers, None, edge_mask, reduce="mean")
        return self._clamped(means).pow(1.0 / self.p)

    def _clamped(self, x: Tensor) -> Tensor:
        if self.min_value is None and self.max_value is None:
            return x
        return x.clamp(self.min_value, self.max_value)


class PlainAggregation(nn.Module):
    """A sum, mean, maximum or minimum."""

    def __init__(self, aggr: str) -> None:
        super().__init__()
        self.reduce = as_reduce(aggr)

    def forward(self, graph: Graph, x: Tensor, eps: float, edge_mask: EdgeMask) -> Tensor:
        """Aggregates the messages `relu(x) + eps` of the sources."""
        return aggregate(graph, x.relu() + eps, None, edge_mask, reduce=self.reduce)
