"""Weighted neighbourhood sums by other means: y[i] = sum over arcs j -> i of w * x[j]."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import scipy.sparse as sp
import torch
from torch import Tensor

from bench.inputs import EdgeList

Outputs = tuple[Tensor, ...]


def to_torch_csr(matrix: sp.csr_matrix, index: torch.dtype) -> Tensor:
    """`torch.sparse` CSR with `index` (int32 or int64) row pointers and columns."""
    return torch.sparse_csr_tensor(
        torch.from_numpy(matrix.indptr).to(index),
        torch.from_numpy(matrix.indices).to(index),
        torch.from_numpy(matrix.data),
        size=matrix.shape,
        check_invariants=False,
    )


def torch_csr(edges: EdgeList, x: Tensor, index: torch.dtype) -> Callable[[], Tensor]:
    """`torch.sparse` CSR times dense."""
    matrix = to_torch_csr(edges.scipy(), index)
    return lambda: matrix @ x


def torch_csr_largest(edges: EdgeList, x: Tensor, index: torch.dtype) -> Callable[[], Tensor]:
    """The largest weighted message, `torch.sparse.mm(..., reduce="amax")`."""
    matrix = to_torch_csr(edges.scipy(), index)
    return lambda: torch.sparse.mm(matrix, x, reduce="amax")


def torch_largest(edges: EdgeList, index: torch.dtype) -> Callable[[Tensor, Tensor], Tensor]:
    """The same of given weights, with torch's own gradients of features and weights."""
    plain = edges.scipy()
    rows, columns = (torch.from_numpy(part).to(index) for part in (plain.indptr, plain.indices))

    def apply(x: Tensor, weight: Tensor) -> Tensor:
        matrix = torch.sparse_csr_tensor(rows, columns, weight, plain.shape, check_invariants=False)
        return torch.sparse.mm(matrix, x, reduce="amax")

    return apply


def gather_scatter_largest(edges: EdgeList) -> Callable[[Tensor, Tensor], Tensor]:
    """The same by messages of width F per edge, as PyG's max aggregation makes them."""
    source, target = edges.edge_index

    def apply(x: Tensor, weight: Tensor) -> Tensor:
        messages = weight.unsqueeze(1) * x[source]
        index = target.unsqueeze(1).expand_as(messages)
        return torch.zeros_like(x).scatter_reduce(0, index, messages, "amax", include_self=False)

    return apply


def scipy_csr(edges: EdgeList, x: Tensor) -> Callable[[], Tensor]:
    """CSR times dense in scipy: one thread, whatever the setting."""
    matrix, dense = edges.scipy(), x.numpy()
    return lambda: torch.from_numpy(matrix @ dense)


def pyg_layer() -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """PyG's parameter-free weighted sum layer: gather, multiply, scatter."""
    from torch_geometric.nn import SimpleConv

    layer: Any = SimpleConv(aggr="sum")
    return lambda x, edge_index, weight: layer(x, edge_index, weight)


def pyg_gather_scatter(edges: EdgeList, x: Tensor) -> Callable[[], Tensor]:
    """PyG's layer over an edge index."""
    layer = pyg_layer()
    return lambda: layer(x, edges.edge_index, edges.weight)


def with_gradients(
    forward: Callable[[Tensor, Tensor], Tensor], x: Tensor, weight: Tensor, upstream: Tensor
) -> Callable[[], Outputs]:
    """One forward and backward: (y, dx, dweight). Gradients are fresh, nothing accumulates."""
    x = x.clone().requires_grad_()
    weight = weight.clone().requires_grad_()

    def run() -> Outputs:
        y = forward(x, weight)
        dx, dweight = torch.autograd.grad(y, (x, weight), upstream)
        return y.detach(), dx, dweight

    return run


def torch_composite(edges: EdgeList, index: torch.dtype) -> Callable[[Tensor, Tensor], Tensor]:
    """Differentiable sum an expert writes with `torch.sparse`: cached transpose, sampled_addmm."""
    plain = edges.scipy()
    shape = plain.shape
    rows, columns = (torch.from_numpy(part).to(index) for part in (plain.indptr, plain.indices))

    def csr(pointers: Tensor, indices: Tensor, values: Tensor) -> Tensor:
        return torch.sparse_csr_tensor(pointers, indices, values, shape, check_invariants=False)

    order = torch.argsort(edges.edge_index[0], stable=True)
    counts = torch.bincount(edges.edge_index[0], minlength=edges.num_nodes)
    t_rows = torch.cat([counts.new_zeros(1), counts.cumsum(0)]).to(index)
    t_columns = edges.edge_index[1][order].to(index)
    zeros = csr(rows, columns, torch.zeros_like(edges.weight))

    class Aggregate(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
            ctx.save_for_backward(x, weight)
            return csr(rows, columns, weight) @ x

        @staticmethod
        def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, Tensor]:
            x, weight = ctx.saved_tensors
            transposed = csr(t_rows, t_columns, weight[order])
            sampled = torch.sparse.sampled_addmm(zeros, upstream[0], x.t(), beta=0.0)
            return transposed @ upstream[0], sampled.values()

    def apply(x: Tensor, weight: Tensor) -> Tensor:
        y: Tensor = Aggregate.apply(x, weight)  # type: ignore[no-untyped-call]
        return y

    return apply


def sampled_addmm(
    edges: EdgeList, a: Tensor, b: Tensor, index: torch.dtype
) -> Callable[[], Tensor]:
    """Dot products a[target] . b[source] by `torch.sparse.sampled_addmm`."""
    zeros = to_torch_csr(edges.scipy(), index) * 0.0
    return lambda: torch.sparse.sampled_addmm(zeros, a, b.t(), beta=0.0).values()


def gather_dot(edges: EdgeList, a: Tensor, b: Tensor) -> Callable[[], Tensor]:
    """The same dot products with two gathers, as PyG models write them."""
    source, target = edges.edge_index
    return lambda: (a[target] * b[source]).sum(dim=-1)
