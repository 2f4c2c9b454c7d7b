"""Graph convolution."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sparsegnn.graph import Graph
from sparsegnn.mask import Mask
from sparsegnn.nn._errors import names_layer
from sparsegnn.nn._inputs import Features, GraphLike, as_graph, check_features
from sparsegnn.nn.activation import NOTHING, Activation
from sparsegnn.nn.aggregate import aggregate
from sparsegnn.nn.gcn_norm import gcn_norm, without_repeated_loops
from sparsegnn.nn.projection import Projection, bias_beside, glorot, project
from sparsegnn.ops._edge_values import EdgeMask


class GCNConv(nn.Module):
    """The graph convolution of Kipf and Welling (arXiv 1609.02907), a drop-in for PyG's.

    `Y = D^-1/2 (A + I) D^-1/2 X W^T + b`, with PyG's arguments, results and state_dict keys
    (`lin.weight`, `bias`). Messages are never materialised. A node with a loop keeps it and gets no
    second one; PyG does the same for an `edge_index`, but adds one to a sparse adjacency.
    Of several loops at a node only the last counts, as in PyG, unless they come in a `Graph`.

    Args:
        in_channels: Size of the input features.
        out_channels: Size of the output features.
        improved: Self loops of weight 2 beside given edge weights (see `gcn_norm`).
        cached: Keep the norm of the first call; for transductive use only.
        add_self_loops: Whether to add loops; by default the value of normalize.
        normalize: Whether to normalise; otherwise edge weights are used as they are.
        bias: Whether to add a bias.

    Shapes:
        x `[N, in_channels]` dense or `SparseMatrix`; graph a `Graph`, `edge_index [2, E]`, an
        `EdgeIndex` or a torch CSR adjacency, whose values are edge weights where none are given;
        edge_weight `[E]`; output `[N, out_channels]`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        improved: bool = False,
        cached: bool = False,
        add_self_loops: bool | None = None,
        normalize: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if in_channels < 1 or out_channels < 1:
            raise ValueError(
                f"in_channels and out_channels must be positive, got {in_channels} and "
                f"{out_channels}."
            )
        if add_self_loops and not normalize:
            raise ValueError("add_self_loops needs normalize=True, got normalize=False.")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.improved = improved
        self.cached = cached
        self.add_self_loops = normalize if add_self_loops is None else add_self_loops
        self.normalize = normalize
        self.lin = Projection(in_channels, out_channels)
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        self._cached_norm: tuple[Graph, Tensor | None] | None = None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Glorot-uniform weights, zero bias, no cached norm."""
        glorot(self.lin.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)
        self._cached_norm = None

    @names_layer
    def forward(
        self,
        x: Features,
        edge_index: GraphLike,
        edge_weight: Tensor | None = None,
        *,
        edge_mask: EdgeMask = None,
        activation: Activation = NOTHING,
    ) -> Tensor:
        """Computes the convolution of x over the graph.

        Args:
            x: Features of the nodes.
            edge_index: The graph.
            edge_weight: `[E]`.
            edge_mask: `[E]`: floating point scales the weights; bool or `Mask` drops edges, degrees
                included, and sorts the rest at every call: `Graph.select` does so once.
            activation: ReLU and dropout of the result.
        """
        graph, norm = self.norm(x, edge_index, edge_weight, edge_mask)
        return self.propagate(x, graph, norm, activation)

    def norm(
        self,
        x: Features,
        edge_index: GraphLike,
        edge_weight: Tensor | None,
        edge_mask: EdgeMask = None,
    ) -> tuple[Graph, Tensor | None]:
        """The graph and the edge values that `propagate` aggregates with."""
        check_features(x, self.in_channels)
        if self._cached_norm is not None:
            return self._cached_norm
        graph, values = as_graph(edge_index, (x, x))
        values = values if edge_weight is None else edge_weight.flatten()
        graph, values = _masked(graph, values, edge_mask)
        if self.normalize:
            if self.add_self_loops and not isinstance(edge_index, Graph):
                graph, values = without_repeated_loops(graph, values)
            graph, values = gcn_norm(
                graph,
                values,
                improved=self.improved,
                add_self_loops=self.add_self_loops,
                dtype=torch.float64 if x.dtype == torch.float64 else torch.float32,
            )
        if self.cached and self.normalize:
            self._cached_norm = (graph, values)
        return graph, values

    def propagate(
        self,
        x: Features,
        graph: Graph,
        edge_weight: Tensor | None,
        activation: Activation = NOTHING,
    ) -> Tensor:
        """Projects x and aggregates it with ready edge values, bias and activation fused."""
        bias = bias_beside(self.lin, self.bias)
        projected = project(self.lin, x)
        return aggregate(graph, projected, edge_weight, bias=bias, activation=activation)

    def extra_repr(self) -> str:
        """The channels, as PyG prints them."""
        return f"{self.in_channels}, {self.out_channels}"


def _masked(
    graph: Graph, values: Tensor | None, edge_mask: EdgeMask
) -> tuple[Graph, Tensor | None]:
    """The kept edges and their values."""
    if edge_mask is None:
        return graph, values
    if isinstance(edge_mask, Tensor) and edge_mask.is_floating_point():
        return graph, edge_mask if values is None else values * edge_mask
    keep = edge_mask.to_bool() if isinstance(edge_mask, Mask) else edge_mask
    return graph.select(keep), None if values is None else values[keep]
