"""Graph attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sparsegnn.nn._errors import names_layer
from sparsegnn.nn._inputs import Ends, Features, GraphLike, as_graph
from sparsegnn.nn.activation import NOTHING, Activation
from sparsegnn.nn.attention import FillValue, head_scores, head_scores_of_sparse
from sparsegnn.nn.attention_conv import AttentionConv, Inputs
from sparsegnn.nn.projection import Projection, glorot, is_plain, project
from sparsegnn.ops import dropout, edge_scores, edge_softmax, gat
from sparsegnn.ops._edge_values import EdgeMask
from sparsegnn.ops.dropout import seed_tensor
from sparsegnn.sparse_matrix import SparseMatrix


class GATConv(AttentionConv):
    """The attention layer of Velickovic et al. (arXiv 1710.10903), a drop-in for PyG's.

    PyG's arguments, results and state_dict keys. Nothing of size E x heads x out_channels exists;
    on a CPU nothing of size E x heads is stored between forward and backward either, unless there
    are edge features.

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
        bias: Whether to add a bias.
        residual: Whether to add a linear map of the targets' features.

    Shapes:
        x `[N, in]` or `([K, in], [M, in] or None)`, dense or `SparseMatrix`; graph a `Graph`,
        `edge_index [2, E]`, an `EdgeIndex` or the pattern of a torch CSR adjacency;
        edge_attr `[E, edge_dim]`; output `[M, heads * out]`, or `[M, out]` without concat.
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
        residual: bool = False,
    ) -> None:
        super().__init__(
            in_channels, out_channels, heads, concat, negative_slope, dropout, add_self_loops,
            edge_dim, fill_value, bias, residual,
        )  # fmt: skip
        sizes, wide = self.sizes, heads * out_channels
        self.lin = Projection(sizes[0], wide) if len(sizes) == 1 else None
        self.lin_src = Projection(sizes[0], wide) if len(sizes) == 2 else None
        self.lin_dst = Projection(sizes[1], wide) if len(sizes) == 2 else None
        self.att_src = nn.Parameter(torch.empty(1, heads, out_channels))
        self.att_dst = nn.Parameter(torch.empty(1, heads, out_channels))
        has_edges = edge_dim is not None
        self.att_edge = nn.Parameter(torch.empty(1, heads, out_channels)) if has_edges else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Glorot-uniform weights, zero bias."""
        for name, parameter in self.named_parameters():
            if name != "bias":
                glorot(parameter)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    @names_layer
    def forward(
        self,
        x: Inputs,
        edge_index: GraphLike,
        edge_attr: Tensor | None = None,
        size: tuple[int, int] | None = None,
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
            size: Numbers of (sources, targets), where x does not tell.
            return_attention_weights: Also return `(edge_index, alpha [E', heads])`, loops included.
            edge_mask: bool `[E]` or `Mask`: a dropped edge is absent; loops stay.
            activation: ReLU and dropout of the result.
        """
        ends = self._ends(x)
        graph, _ = as_graph(edge_index, ends, size)
        x_src, x_dst = self._project(ends)
        graph, edge_attr, edge_mask = self._with_loops(graph, edge_attr, edge_mask)
        s_dst, s_src = self._scores(ends, x_src, x_dst, graph.num_dst)
        edge_score = self._edge_score(edge_attr)
        p = self.dropout if self.training else 0.0
        seed = seed_tensor(None, x_src.device) if p > 0.0 else None
        out = gat(
            *(graph, x_src, s_dst, s_src, edge_mask, edge_score),
            negative_slope=self.negative_slope,
            dropout=p,
            seed=seed,
        )
        out = self._finish(out, ends[1], activation)
        if not return_attention_weights:
            return out
        scores = edge_scores(graph, s_dst.to(s_src.dtype), s_src)
        if edge_score is not None:
            scores = scores + edge_score
        scores = nn.functional.leaky_relu(scores, self.negative_slope)
        alpha = edge_softmax(graph, scores, edge_mask)
        if seed is not None:
            alpha = dropout(alpha, p, seed)
        return out, (graph.edge_index, alpha)

    def _project(self, ends: Ends) -> tuple[Tensor, Tensor | None]:
        source, target = ends
        left, right = self.lin or self.lin_src, self.lin or self.lin_dst
        assert left is not None and right is not None
        shape = (-1, self.heads, self.out_channels)
        x_src = project(left, source).view(shape)
        if target is None:
            return x_src, None
        shared = right is left and target is source
        return x_src, x_src if shared else project(right, target).view(shape)

    def _scores(
        self, ends: Ends, x_src: Tensor, x_dst: Tensor | None, num_dst: int
    ) -> tuple[Tensor, Tensor]:
        if x_dst is x_src:
            s_dst, s_src = self._own_scores(ends[0], x_src)
            return s_dst, s_src
        (s_src,) = head_scores(x_src, self.att_src)
        if x_dst is None:
            return s_src.new_zeros(num_dst, self.heads), s_src
        (s_dst,) = head_scores(x_dst, self.att_dst)
        return s_dst, s_src

    def _own_scores(self, x: Features, projected: Tensor) -> tuple[Tensor, ...]:
        """Those of the same nodes as targets and as sources."""
        vectors = (self.att_dst, self.att_src)
        if isinstance(x, SparseMatrix) and self.lin is not None and is_plain(self.lin):
            return head_scores_of_sparse(x, self.lin.weight, *vectors)
        return head_scores(projected, *vectors)

    def _edge_score(self, edge_attr: Tensor | None) -> Tensor | None:
        if edge_attr is None or self.lin_edge is None:
            return None
        assert self.att_edge is not None
        features = edge_attr.unsqueeze(1) if edge_attr.dim() == 1 else edge_attr
        if not is_plain(self.lin_edge):
            rows = self.lin_edge(features).view(-1, self.heads, self.out_channels)
            score: Tensor = (rows * self.att_edge).sum(2)
            return score
        weight = self.lin_edge.weight.view(self.heads, self.out_channels, -1)
        return features @ (self.att_edge.view(self.heads, -1, 1) * weight).sum(1).t()
