"""Graph attention whose scores see both ends of an edge together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sparsegnn.graph import Graph
from sparsegnn.nn._errors import names_layer
from sparsegnn.nn._inputs import Ends, GraphLike, as_graph
from sparsegnn.nn.activation import NOTHING, Activation
from sparsegnn.nn.attention import FillValue
from sparsegnn.nn.attention_conv import AttentionConv, Inputs
from sparsegnn.nn.projection import Projection, glorot, project
from sparsegnn.ops import dropout, edge_softmax, gatv2, spmm
from sparsegnn.ops._edge_values import EdgeMask
from sparsegnn.ops.dropout import seed_tensor


class GATv2Conv(AttentionConv):
    """The attention layer of Brody et al. (arXiv 2105.14491), a drop-in for PyG's.

    PyG's arguments, results and state_dict keys. On a CPU nothing of size E x heads x out_channels
    exists, and nothing of size E between forward and backward, unless there are edge features:
    their projection has that size, and so do then the sums that it enters.

    Args:
        in_channels: Size of the input features, or of those of (sources, targets).
        out_channels: Size of the output features of one head.
        heads: Number of heads.
        concat: Concatenate the heads; otherwise average them.
        negative_slope: Slope of LeakyReLU below zero.
        dropout: Probability of dropping an attention weight in training, rounded to a multiple of
            2^-16.
        add_self_loops: Replace all loops by one at every node.
        edge_dim: Size of the edge features, if there are any.
        fill_value: Edge features of the loops: a number, a tensor, or how to reduce those of the
            edges into the node ("add", "mean", "min", "max", "mul").
        bias: Whether to add a bias, to the projections too.
        share_weights: Project sources and targets by the same matrix.
        residual: Whether to add a linear map of the targets' features.

    Shapes:
        x `[N, in]` or `([K, in], [M, in])`, dense or `SparseMatrix`; graph a `Graph`, `edge_index
        [2, E]`, an `EdgeIndex` or the pattern of a torch CSR adjacency; edge_attr `[E, edge_dim]`;
        output `[M, heads * out]`, or `[M, out]` without concat.
    """

    def __init__(
        self,
        in_channels: int | tuple[int, int],
        out_channels: int,
        heads: int = 1,
        concat: bool = True,
        negative_slope: float = 0.2,
        dropout: float = 0.0,
        add_self_loops: bool = True,
        edge_dim: int | None = None,
        fill_value: FillValue = "mean",
        bias: bool = True,
        share_weights: bool = False,
        residual: bool = False,
    ) -> None:
        super().__init__(
            in_channels, out_channels, heads, concat, negative_slope, dropout, add_self_loops,
            edge_dim, fill_value, bias, residual,
        )  # fmt: skip
        wide = heads * out_channels
        self.share_weights = share_weights
        self.lin_l = Projection(self.sizes[0], wide, bias)
        self.lin_r = self.lin_l if share_weights else Projection(self.sizes[-1], wide, bias)
        self.att = nn.Parameter(torch.empty(1, heads, out_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Glorot-uniform weights, zero bias; uniform biases of the projections, as PyG has them."""
        self.lin_l.reset_parameters()
        self.lin_r.reset_parameters()
        for parameter in self.parameters():
            if parameter.dim() > 1:
                glorot(parameter)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    @names_layer
    def forward(
        self,
        x: Inputs,
        edge_index: GraphLike,
        edge_attr: Tensor | None = None,
        return_attention_weights: bool | None = None,
        *,
        edge_mask: EdgeMask = None,
        activation: Activation = NOTHING,
    ) -> Tensor | tuple[Tensor, tuple[Tensor, Tensor]]:
        """Attends over the kept edges of every target.

        Args:
            x: Features of the nodes, or of (sources, targets).
            edge_index: The graph.
            edge_attr: `[E]` or `[E, edge_dim]`.
            return_attention_weights: Also return `(edge_index, alpha [E', heads])`, loops included.
            edge_mask: bool `[E]` or `Mask`: a dropped edge is absent; loops stay.
            activation: ReLU and dropout of the result.
        """
        ends = self._ends(x)
        graph, _ = as_graph(edge_index, ends)
        x_src, x_dst = self._project(ends)
        graph, edge_attr, edge_mask = self._with_loops(graph, edge_attr, edge_mask)
        p = self.dropout if self.training else 0.0
        seed = seed_tensor(None, x_src.device) if p > 0.0 else None
        has_features = edge_attr is not None and self.lin_edge is not None
        if not has_features and not return_attention_weights:
            out = self._fused(graph, x_src, x_dst, edge_mask, p, seed)
            return self._finish(out, ends[1], activation)
        alpha = edge_softmax(graph, self._scores(graph, x_src, x_dst, edge_attr), edge_mask)
        alpha = alpha if seed is None else dropout(alpha, p, seed)
        if has_features:
            heads = zip(x_src.unbind(1), alpha.unbind(1), strict=True)
            out = torch.stack([spmm(graph, v, weight, edge_mask) for v, weight in heads], 1)
        else:
            out = self._fused(graph, x_src, x_dst, edge_mask, p, seed)
        out = self._finish(out, ends[1], activation)
        return (out, (graph.edge_index, alpha)) if return_attention_weights else out

    def _fused(
        self,
        graph: Graph,
        x_src: Tensor,
        x_dst: Tensor,
        edge_mask: EdgeMask,
        p: float,
        seed: Tensor | None,
    ) -> Tensor:
        slope = self.negative_slope
        return gatv2(
            graph, x_src, x_dst, self.att[0], edge_mask, negative_slope=slope, dropout=p, seed=seed
        )

    def _project(self, ends: Ends) -> tuple[Tensor, Tensor]:
        source, target = ends
        if target is None:
            raise ValueError("x must hold features of the targets, got None.")
        shape = (-1, self.heads, self.out_channels)
        x_src = project(self.lin_l, source).view(shape)
        if target is source and self.share_weights:
            return x_src, x_src
        return x_src, project(self.lin_r, target).view(shape)

    def _scores(
        self, graph: Graph, x_src: Tensor, x_dst: Tensor, edge_attr: Tensor | None
    ) -> Tensor:
        """`[E, H]`, from a row per edge."""
        source, target = graph.edge_index
        total = x_src[source] + x_dst[target]
        if edge_attr is not None and self.lin_edge is not None:
            features = edge_attr.unsqueeze(1) if edge_attr.dim() == 1 else edge_attr
            total = total + self.lin_edge(features).view(total.shape)
        return (nn.functional.leaky_relu(total, self.negative_slope) * self.att).sum(2)
