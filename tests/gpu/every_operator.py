"""One call of every operator as a function of x, without a host synchronisation."""

from collections.abc import Callable

import torch
from torch import Tensor

import sparsegnn as sg
from sparsegnn.testing import power_law_graph

NODES, EDGES, WIDTH = 3000, 40_000, 64
Run = Callable[[Tensor], object]


def flat(result: object) -> list[Tensor]:
    """The tensors of an operator's result."""
    if isinstance(result, Tensor):
        return [result]
    if isinstance(result, sg.SparseRows):
        return [result.values, result.ids]
    assert isinstance(result, (list, tuple))
    return [tensor for part in result for tensor in flat(part)]


def operators() -> dict[str, Run]:
    """A call of every operator as a function of x [NODES, WIDTH]."""
    graph = power_law_graph(NODES, EDGES).to("cuda")
    mask = sg.Mask.from_bool(torch.rand(EDGES) < 0.7).to("cuda")
    values = torch.rand(EDGES, device="cuda")
    seed = torch.tensor([5], device="cuda")
    dense = torch.randn(96, WIDTH) * (torch.rand(96, WIDTH) < 0.2)
    weight = sg.SparseWeight.from_dense(dense).to("cuda")
    bias = torch.randn(WIDTH, device="cuda")
    return {
        "spmm": lambda x: sg.ops.spmm(graph, x, values, mask, bias=bias, relu=True),
        "spmm mean of narrow rows": lambda x: sg.ops.spmm(graph, x[:, :5], reduce="mean"),
        "spmm max": lambda x: sg.ops.spmm(graph, x, values, mask, reduce="max"),
        "spmm dropout": lambda x: sg.ops.spmm(graph, x, residual=x, dropout=0.5, seed=seed),
        "dropout": lambda x: sg.ops.dropout(x, 0.5, seed),
        "hard_concrete": lambda x: sg.ops.hard_concrete(x.view(-1), seed=seed),
        "sddmm": lambda x: sg.ops.sddmm(graph, x, x),
        "edge_softmax": lambda x: sg.ops.edge_softmax(graph, x[:, :2].repeat(14, 1)[:EDGES]),
        "sparse_linear": lambda x: sg.ops.sparse_linear(x, weight).detach(),
        "topk_mask": lambda x: sg.ops.topk_mask([x], 5000),
        "topk_rows": lambda x: sg.ops.topk_rows(x, 7),
        "spmm of sparse rows": lambda x: sg.ops.spmm(graph, sg.ops.topk_rows(x, 7)),
    }


NAMES = [
    "spmm",
    "spmm mean of narrow rows",
    "spmm max",
    "spmm dropout",
    "dropout",
    "hard_concrete",
    "sddmm",
    "edge_softmax",
    "sparse_linear",
    "topk_mask",
    "topk_rows",
    "spmm of sparse rows",
]
