"""What the attention layers share: their arguments, loops, and the end of their forward pass."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sparsegnn.graph import Graph
from sparsegnn.nn._inputs import Ends, Features, both_ends
from sparsegnn.nn.activation import NOTHING, Activation
from sparsegnn.nn.attention import FillValue, with_one_loop_each
from sparsegnn.nn.projection import Projection, project
from sparsegnn.ops._edge_values import EdgeMask

Inputs = Features | Ends


class AttentionConv(nn.Module):
    """Base of the attention layers; `GATConv` documents the arguments."""

    def __init__(
        self,
        in_channels: int | tuple[int, int],
        out_channels: int,
        heads: int,
        concat: bool,
        negative_slope: float,
        dropout: float,
        add_self_loops: bool,
        edge_dim: int | None,
        fill_value: FillValue,
        bias: bool,
        residual: bool,
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.heads = in_channels, out_channels, heads
        if min(*self.sizes, out_channels, heads) < 1:
            raise ValueError(
                f"in_channels, out_channels and heads must be positive, got {in_channels}, "
                f"{out_channels} and {heads}."
            )
        if not 0.0 <= dropout <= 1.0:
            raise ValueError(f"dropout must lie in [0, 1], got {dropout}.")
        self.concat, self.negative_slope, self.dropout = concat, negative_slope, dropout
        self.add_self_loops, self.edge_dim, self.fill_value = add_self_loops, edge_dim, fill_value
        self.residual = residual
        total = heads * out_channels if concat else out_channels
        self.lin_edge = None if edge_dim is None else Projection(edge_dim, heads * out_channels)
        self.res = Projection(self.sizes[-1], total) if residual else None
        self.bias = nn.Parameter(torch.empty(total)) if bias else None

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of the input features: one, or those of sources and targets."""
        return (self.in_channels,) if isinstance(self.in_channels, int) else self.in_channels

    def _ends(self, x: Inputs) -> Ends:
        """Features of (sources, targets), two-dimensional and of the right width."""
        source, target = both_ends(x, (self.sizes[0], self.sizes[-1]))
        for features in (source, target):
            if features is not None and len(features.shape) != 2:
                raise ValueError(f"x must have shape [N, in_channels], got {list(features.shape)}.")
        return source, target

    def _with_loops(
        self, graph: Graph, edge_attr: Tensor | None, edge_mask: EdgeMask
    ) -> tuple[Graph, Tensor | None, EdgeMask]:
        if edge_attr is not None and edge_attr.shape[0] != graph.num_edges:
            raise ValueError(
                f"edge_attr must have one row per edge, {graph.num_edges}, got shape "
                f"{list(edge_attr.shape)}."
            )
        if not self.add_self_loops:
            return graph, edge_attr, edge_mask
        looped = with_one_loop_each(graph, min(graph.num_src, graph.num_dst))
        keep = looped.extend_mask(edge_mask)
        if edge_attr is not None and self.lin_edge is not None:
            edge_attr = looped.extend_features(edge_attr, self.fill_value, keep)
        return looped.graph, edge_attr, keep

    def _finish(
        self, out: Tensor, target: Features | None, activation: Activation = NOTHING
    ) -> Tensor:
        out = out.flatten(1) if self.concat else out.mean(dim=1)
        if self.res is not None and target is not None:
            out = out + project(self.res, target)
        if self.bias is not None or activation.is_active():
            return activation.apply(out, self.bias)
        # The backward of attention reads its result, which the caller may overwrite.
        returns_it = self.concat and self.res is None
        return out.clone() if returns_it and out.requires_grad else out

    def extra_repr(self) -> str:
        """The channels, as PyG prints them."""
        return f"{self.in_channels}, {self.out_channels}, heads={self.heads}"
