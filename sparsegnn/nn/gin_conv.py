"""Graph isomorphism networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sparsegnn.graph import Graph
from sparsegnn.nn._errors import names_layer
from sparsegnn.nn._inputs import Ends, Features, GraphLike, Size, as_graph, both_ends
from sparsegnn.nn.activation import NOTHING, Activation
from sparsegnn.nn.aggregate import aggregate, as_reduce, projects_first
from sparsegnn.nn.own_messages import with_own_messages
from sparsegnn.nn.projection import Matrix, bias_beside, matrix_of, product
from sparsegnn.nn.reset import reset
from sparsegnn.nn.stages import plain_linear, run_stages, stages_of, take_activation
from sparsegnn.ops._edge_values import EdgeMask
from sparsegnn.ops._library import acc_dtype


class GINConv(torch.nn.Module):
    """The layer of Xu et al. (arXiv 1810.00826), a drop-in for PyG's.

    `y_i = nn((1 + eps) x_i + aggr_j x_j)`, with PyG's arguments, results and state_dict keys. Where
    nn is a `torch.nn.Sequential` or an `MLP` of PyG that begins with a linear layer which narrows,
    sums and means are taken of its output: the same function, at the cost of the narrower side.

    Args:
        nn: Maps `[M, in]` to `[M, out]`.
        eps: Start of eps.
        train_eps: Whether eps is learned.
        aggr: "add", "sum", "mean", "max" or "min".

    Shapes:
        x `[N, in]` or `([K, in], [M, in] or None)`, dense or, where nn begins with a linear layer,
        `SparseMatrix`; graph a `Graph`, `edge_index [2, E]`, an `EdgeIndex` or a torch CSR
        adjacency, whose values are edge weights; output `[M, out]`.
    """

    eps: Tensor

    def __init__(
        self,
        nn: Callable[[Tensor], Tensor],
        eps: float = 0.0,
        train_eps: bool = False,
        *,
        aggr: str = "add",
    ) -> None:
        super().__init__()
        as_reduce(aggr)
        self.nn = nn
        self.aggr = aggr
        self.initial_eps = eps
        start = torch.empty(1)
        if train_eps:
            self.eps = torch.nn.Parameter(start)
        else:
            self.register_buffer("eps", start)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Resets nn, layer by layer, and eps."""
        reset(self.nn)
        with torch.no_grad():
            self.eps.fill_(self.initial_eps)

    @names_layer
    def forward(
        self,
        x: Features | Ends,
        edge_index: GraphLike,
        size: Size = None,
        *,
        edge_mask: EdgeMask = None,
        activation: Activation = NOTHING,
    ) -> Tensor:
        """Computes the convolution of x over the graph.

        Args:
            x: Features of the nodes, or of (sources, targets).
            edge_index: The graph.
            size: Numbers of (sources, targets), where x does not tell.
            edge_mask: `[E]`: bool or `Mask` drops edges, floating point scales messages.
            activation: ReLU and dropout of the result.
        """
        source, target = both_ends(x, (-1, -1))
        graph, weight = as_graph(edge_index, (source, target), size)
        stages = [*stages_of(self.nn), activation]
        lin = plain_linear(stages) if as_reduce(self.aggr) in ("sum", "mean") else None
        matrix: Any = None if lin is None else matrix_of(lin)
        if lin is not None and projects_first(matrix, graph, source):
            both_ends(x, (matrix.shape[1], matrix.shape[1]))
            left = product(matrix, source)
            right = left if target is source else _product(matrix, target)
            following, stages = take_activation(stages[1:])
            bias = bias_beside(lin, lin.bias)
            sums = self._sum(graph, left, right, weight, edge_mask, bias, following)
            return run_stages(stages, sums)
        if not isinstance(source, Tensor) or not (target is None or isinstance(target, Tensor)):
            raise TypeError(
                "x must be a dense tensor where nn does not begin with a plain linear layer or the "
                "aggregation is no sum or mean, got SparseMatrix."
            )
        return run_stages(stages, self._sum(graph, source, target, weight, edge_mask))

    def _sum(
        self,
        graph: Graph,
        source: Tensor,
        target: Tensor | None,
        weight: Tensor | None,
        edge_mask: EdgeMask,
        bias: Tensor | None = None,
        activation: Activation = NOTHING,
    ) -> Tensor:
        reduce = as_reduce(self.aggr)
        rest: dict[str, Any] = {"reduce": reduce, "bias": bias, "activation": activation}
        if target is source and reduce == "sum" and self._as_loops(edge_mask):
            factor = (1.0 + self.eps).to(acc_dtype(source.dtype))
            looped, values = with_own_messages(graph, weight, factor)
            return aggregate(looped, source, values, **rest)
        root = None if target is None else ((1 + self.eps) * target).to(source.dtype)
        return aggregate(graph, source, weight, edge_mask, residual=root, **rest)

    def _as_loops(self, edge_mask: EdgeMask) -> bool:
        """Whether a node's own features may be a message: one pass less, forward and backward.

        A learned eps would need the gradient of every edge's value; a compiled graph builds none.
        """
        learned = self.eps.requires_grad
        return edge_mask is None and not learned and not torch.compiler.is_compiling()

    def extra_repr(self) -> str:
        """The aggregation, where it is not the sum."""
        return "" if as_reduce(self.aggr) == "sum" else f"aggr={self.aggr}"


def _product(matrix: Matrix, x: Features | None) -> Tensor | None:
    return None if x is None else product(matrix, x)
