"""Aggregation and projection of neighbours, in the cheaper order."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from sparsegnn.graph import Graph
from sparsegnn.nn._inputs import Features
from sparsegnn.nn.activation import NOTHING, Activation
from sparsegnn.nn.projection import Matrix, bias_beside, commutes, matrix_of, product
from sparsegnn.nn.stages import activated_linear
from sparsegnn.ops import spmm
from sparsegnn.ops._edge_values import EdgeMask
from sparsegnn.sparse_matrix import SparseMatrix

Reduce = Literal["sum", "mean", "max", "min"]
_REDUCE: dict[str, Reduce] = {
    "add": "sum", "sum": "sum", "mean": "mean", "max": "max", "min": "min",
}  # fmt: skip
# Numbers that a dense product multiplies in the time in which aggregation gathers one.
_PRODUCTS_PER_GATHER = 16


def as_reduce(aggr: str) -> Reduce:
    """The reduction of `spmm` that PyG calls `aggr`."""
    if not isinstance(aggr, str) or aggr not in _REDUCE:
        raise ValueError(f"aggr must be one of {', '.join(map(repr, _REDUCE))}, got {aggr!r}.")
    return _REDUCE[aggr]


def aggregate(
    graph: Graph,
    x: Tensor,
    edge_weight: Tensor | None = None,
    edge_mask: EdgeMask = None,
    *,
    reduce: Reduce = "sum",
    bias: Tensor | None = None,
    residual: Tensor | None = None,
    activation: Activation = NOTHING,
) -> Tensor:
    """`activation(reduce + bias + residual)` for x `[..., K, F]`.

    Leading dimensions, PyG's static graphs, become columns.
    """
    if x.dim() == 2:
        fused = activation if residual is None else NOTHING
        y = spmm(
            *(graph, x, edge_weight, edge_mask),
            reduce=reduce, bias=bias, relu=fused.relu, residual=residual, dropout=fused.dropout,
        )  # fmt: skip
        return y if residual is None else activation.apply(y)
    columns = x.movedim(-2, 0)
    sums = spmm(graph, columns.flatten(1), edge_weight, edge_mask, reduce=reduce)
    y = sums.view(-1, *columns.shape[1:]).movedim(0, -2)
    y = y if bias is None else y + bias.to(y.dtype)
    return activation.apply(y if residual is None else y + residual)


def project_neighbours(
    lin: nn.Module,
    graph: Graph,
    x: Features,
    edge_weight: Tensor | None,
    edge_mask: EdgeMask,
    reduce: Reduce,
    residual: Tensor | None,
    activation: Activation = NOTHING,
) -> Tensor:
    """`activation(lin(reduce of the neighbours) + residual)`.

    Sums and means commute with a linear map: where it narrows enough, or x is sparse, it comes
    first.
    """
    if reduce in ("sum", "mean") and commutes(lin):
        weight = matrix_of(lin)
        if projects_first(weight, graph, x):
            return aggregate(
                *(graph, product(weight, x), edge_weight, edge_mask),
                reduce=reduce, bias=bias_beside(lin, lin.bias), residual=residual,
                activation=activation,
            )  # fmt: skip
    if isinstance(x, SparseMatrix):
        raise TypeError(
            f"x must be a dense tensor for aggregation {reduce!r} or a linear map with hooks, got "
            "SparseMatrix."
        )
    sums = aggregate(graph, x, edge_weight, edge_mask, reduce=reduce)
    if residual is None and commutes(lin):
        return activated_linear(lin, sums, activation)
    out: Tensor = lin(sums)
    return activation.apply(out if residual is None else out + residual)


def projects_first(weight: Matrix, graph: Graph, x: Features) -> bool:
    """Whether projecting every source costs less than aggregating first."""
    if isinstance(x, SparseMatrix):
        return True
    out_channels, in_channels = weight.shape
    gathers_saved = graph.num_edges * (in_channels - out_channels)
    more_products = (graph.num_src - graph.num_dst) * in_channels * out_channels
    return gathers_saved > more_products // _PRODUCTS_PER_GATHER
