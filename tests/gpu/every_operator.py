"""One call of every operator as a function of x, without a host synchronisation."""

from collections.abc import Callable
from typing import Any

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


def operators(device: str = "cuda") -> dict[str, Run]:
    """A call of every operator as a function of x [NODES, WIDTH]."""
    weight = torch.randn(96, WIDTH) * (torch.rand(96, WIDTH) < 0.2)
    return {
        **aggregation(device),
        **attention(device),
        **linear(weight, device),
        **selection(device),
    }


def aggregation(device: str) -> dict[str, Run]:
    """Messages along the edges."""
    graph = power_law_graph(NODES, EDGES).to(device)
    mask = sg.Mask.from_bool(torch.rand(EDGES) < 0.7).to(device)
    values = torch.rand(EDGES, device=device)
    seed = torch.tensor([5], device=device)
    bias = torch.randn(WIDTH, device=device)
    return {
        "spmm": lambda x: sg.ops.spmm(graph, x, values, mask, bias=bias, relu=True),
        "spmm mean of narrow rows": lambda x: sg.ops.spmm(graph, x[:, :5], reduce="mean"),
        "spmm max": lambda x: sg.ops.spmm(graph, x, values, mask, reduce="max"),
        "spmm dropout": lambda x: sg.ops.spmm(graph, x, residual=x, dropout=0.5, seed=seed),
        "dropout": lambda x: sg.ops.dropout(x, 0.5, seed),
        "dropout after a bias": lambda x: sg.ops.dropout(x, 0.5, seed, bias=bias, relu=True),
        "hard_concrete": lambda x: sg.ops.hard_concrete(x.view(-1), seed=seed),
        "sddmm": lambda x: sg.ops.sddmm(graph, x, x),
        "spmm_topk": lambda x: sg.ops.spmm_topk(graph, x, 7),
        "spmm of sparse rows": lambda x: sg.ops.spmm(graph, sg.ops.topk_rows(x, 7)),
    }


def attention(device: str) -> dict[str, Run]:
    """Scores of the edges, their softmax and what it weights."""
    graph = power_law_graph(NODES, EDGES).to(device)
    mask = sg.Mask.from_bool(torch.rand(EDGES) < 0.7).to(device)
    seed = torch.tensor([5], device=device)
    edge = torch.rand(EDGES, 4, device=device)

    def gat(x: Tensor, **options: Any) -> Tensor:
        return sg.ops.gat(graph, x.view(NODES, 4, -1), x[:, :4], x[:, 4:8], mask, **options)

    return {
        "edge_softmax": lambda x: sg.ops.edge_softmax(graph, x[:, :2].repeat(14, 1)[:EDGES]),
        "edge_scores": lambda x: sg.ops.edge_scores(graph, x, x, mask, negative_slope=0.2),
        "sddmm add": lambda x: sg.ops.sddmm(graph, x[:, :3], x[:, 3:6], op="add"),
        "gat": lambda x: gat(x),
        "gatv2": lambda x: sg.ops.gatv2(
            graph, x.view(NODES, 4, -1), x.flip(1).view(NODES, 4, -1), x[:4, : WIDTH // 4], mask
        ),
        "softmax_aggregate": lambda x: sg.ops.softmax_aggregate(
            graph, x, edge[0, 0], mask, eps=1e-7
        ),
        "gat dropout and edge scores": lambda x: gat(x, edge_score=edge, dropout=0.4, seed=seed),
    }


def linear(dense: Tensor, device: str) -> dict[str, Run]:
    """Products with pruned weights."""
    sparse = sg.SparseWeight.from_dense(dense).to(device)
    blocks = sg.BlockWeight.from_dense(dense * (torch.arange(96) % 48 < 32)[:, None], 16).to(device)
    compact = sg.CompactWeight.from_dense(dense * (torch.arange(96) % 3 != 1)[:, None]).to(device)
    bias = torch.randn(96, device=device)
    return {
        "sparse_linear": lambda x: sg.ops.sparse_linear(x, sparse, bias).detach(),
        "block_linear": lambda x: sg.ops.block_linear(x, blocks, bias).detach(),
        "compact_linear": lambda x: sg.ops.compact_linear(x, compact, bias).detach(),
    }


def selection(device: str) -> dict[str, Run]:
    """Choices of entries, and walks."""
    graph = power_law_graph(NODES, EDGES).to(device)
    start = torch.arange(500, device=device)
    active = (torch.rand(NODES, WIDTH) < 0.3).to(device)
    weight = torch.rand(graph.num_edges, device=device)

    def drop_and_grow(x: Tensor) -> list[Tensor]:
        mask, weight, moment = active.clone(), x * active, x.abs()
        sg.ops.drop_and_grow_(mask, weight, [moment], x, 1000, magnitude=True)
        return [mask, weight, moment]

    return {
        "topk_mask": lambda x: sg.ops.topk_mask([x], 5000),
        "topk_mask per tensor": lambda x: sg.ops.topk_mask([x, x[:7]], [50, 7], per_tensor=True),
        "topk_rows": lambda x: sg.ops.topk_rows(x, 7),
        "drop_and_grow_": drop_and_grow,
        "random_walk": lambda x: [sg.ops.random_walk(graph, start, 10, seed=3)],
        "random_walk by weight": lambda x: [
            sg.ops.random_walk(graph, start, 10, seed=3, weight=weight)
        ],
    }


NAMES = [
    "spmm",
    "spmm mean of narrow rows",
    "spmm max",
    "spmm dropout",
    "dropout",
    "dropout after a bias",
    "hard_concrete",
    "sddmm",
    "spmm_topk",
    "spmm of sparse rows",
    "edge_softmax",
    "edge_scores",
    "sddmm add",
    "gat",
    "gatv2",
    "softmax_aggregate",
    "gat dropout and edge scores",
    "sparse_linear",
    "block_linear",
    "compact_linear",
    "topk_mask",
    "topk_mask per tensor",
    "topk_rows",
    "drop_and_grow_",
    "random_walk",
    "random_walk by weight",
]
