"""Graph convolution."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from sparsegnn.graph import Graph
from sparsegnn.nn._inputs import Features, GraphLike, as_graph, num_rows
from sparsegnn.nn.gcn_norm import gcn_norm
from sparsegnn.ops import spmm
from sparsegnn.sparse_matrix import SparseMatrix

# Outputs from which a dense product does not care about the layout of the weight.
_WIDE = 32


class Projection(nn.Module):
    """`x @ weight.T` for dense or sparse x, without bias.

    A wide weight `[out, in]` is stored input-major: sparse features gather its columns, and dense
    products run at the same speed either way. A narrow one is stored as it is.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        if out_channels < _WIDE:
            self.weight = nn.Parameter(torch.empty(out_channels, in_channels))
        else:
            self.weight = nn.Parameter(torch.empty(in_channels, out_channels).t())

    def forward(self, x: Features) -> Tensor:
        """Maps `[N, in]` to `[N, out]`."""
        if isinstance(x, SparseMatrix):
            return spmm(x.pattern, self.weight.t(), edge_weight=x.values)
        return nn.functional.linear(x, self.weight)


class GCNConv(nn.Module):
    """The graph convolution of Kipf and Welling (arXiv 1609.02907), a drop-in for PyG's.

    `Y = D^-1/2 (A + I) D^-1/2 X W^T + b`, with PyG's arguments, results and state_dict keys
    (`lin.weight`, `bias`). Messages are never materialised.

    Args:
        in_channels: Size of the input features.
        out_channels: Size of the output features.
        improved: Self loops of weight 2 beside given edge weights (see `gcn_norm`).
        cached: Keep the norm of the first call; for transductive use only.
        add_self_loops: Whether to add loops; by default the value of normalize.
        normalize: Whether to normalise; otherwise edge weights are used as they are.
        bias: Whether to add a bias.

    Shapes:
        x `[N, in_channels]` dense or `SparseMatrix`; graph a `Graph`, `edge_index [2, E]` or torch
        CSR; edge_weight `[E]`; output `[N, out_channels]`.
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
        limit = math.sqrt(6.0 / (self.in_channels + self.out_channels))
        with torch.no_grad():
            self.lin.weight.copy_(torch.empty(self.lin.weight.shape).uniform_(-limit, limit))
            if self.bias is not None:
                self.bias.zero_()
        self._cached_norm = None

    def forward(
        self, x: Features, edge_index: GraphLike, edge_weight: Tensor | None = None
    ) -> Tensor:
        """Computes the convolution of x over the graph."""
        graph, norm = self.norm(x, edge_index, edge_weight)
        return self.propagate(x, graph, norm)

    def norm(
        self, x: Features, edge_index: GraphLike, edge_weight: Tensor | None
    ) -> tuple[Graph, Tensor | None]:
        """The graph and the edge values that `propagate` aggregates with."""
        if self._cached_norm is not None:
            return self._cached_norm
        graph = as_graph(edge_index, num_rows(x))
        values = edge_weight
        if self.normalize:
            graph, values = gcn_norm(
                graph,
                edge_weight,
                improved=self.improved,
                add_self_loops=self.add_self_loops,
                dtype=torch.float64 if x.dtype == torch.float64 else torch.float32,
            )
        if self.cached:
            self._cached_norm = (graph, values)
        return graph, values

    def propagate(
        self, x: Features, graph: Graph, edge_weight: Tensor | None, *, relu: bool = False
    ) -> Tensor:
        """Projects x and aggregates it with ready edge values, bias and ReLU fused."""
        return spmm(graph, self.lin(x), edge_weight=edge_weight, bias=self.bias, relu=relu)

    def extra_repr(self) -> str:
        """The channels, as PyG prints them."""
        return f"{self.in_channels}, {self.out_channels}"
