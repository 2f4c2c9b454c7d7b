"""Launches every kernel once on small inputs: the program that compute-sanitizer watches.

Inputs are made on the CPU and copied, so that few kernels of torch run beside ours.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import sparsegnn as sg
from sparsegnn.graph import CsrTensors
from sparsegnn.testing import adversarial_graph, random_graph

Random = Callable[..., Tensor]


def moved(graph: sg.Graph, index: torch.dtype, device: str) -> sg.Graph:
    """The graph with indices of this type on the device."""
    csr = (None if t is None else t.to(index).to(device) for t in graph.csr)
    return sg.Graph(CsrTensors(*csr))  # type: ignore[arg-type]


def run_type(dtype: torch.dtype, index: torch.dtype, device: str) -> None:
    """Every operator in one element and index type, aligned and tail widths."""
    graph = moved(adversarial_graph("random").graph(), index, device)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape).to(dtype).to(device)

    mask = sg.Mask.from_bool(torch.rand(graph.num_edges) < 0.5).to(device)
    for width in (7, 40, 264):
        x, a = random(graph.num_src, width), random(graph.num_dst, width)
        sg.ops.spmm(graph, x, edge_mask=mask, reduce="mean")
        sg.ops.spmm(graph, x, residual=a, dropout=0.5, seed=1, relu=True)
        sg.ops.spmm(graph, x, reduce="max")
        sg.ops.sddmm(graph, a, x)
        sg.ops.spmm_topk(graph, x, width // 2)
        sg.ops.spmm(graph, sg.ops.topk_rows(x, width // 2))
        sg.ops.dropout(x, 0.5, 3)
        sg.ops.spgemm(sg.ops.topk_rows(x, 3), sg.ops.topk_rows(random(width, 20), 4))
    run_gradients(graph, random)
    run_attention(graph, mask, random)
    run_rows_of_every_length(dtype, index, device)
    run_linear(random, device)
    sg.ops.topk_mask([random(5000), torch.zeros(300).to(dtype).to(device)], 2600)
    run_update(random)


def run_gradients(graph: sg.Graph, random: Random) -> None:
    """The gradients of features and edge values together."""
    x = random(graph.num_src, 40).requires_grad_()
    weight = random(graph.num_edges).requires_grad_()
    y = sg.ops.spmm(graph, x, weight)
    torch.autograd.grad(y, (x, weight), random(graph.num_dst, 40))
    best = sg.ops.spmm(graph, x, weight, reduce="max")
    torch.autograd.grad(best, (x, weight), random(graph.num_dst, 40))


def run_attention(graph: sg.Graph, mask: sg.Mask, random: Random) -> None:
    """Forward and backward of the operators of attention."""
    scores = random(graph.num_edges, 2).requires_grad_()
    softmax = sg.ops.edge_softmax(graph, scores, mask)
    torch.autograd.grad(softmax, scores, torch.ones_like(softmax))
    sizes = ((graph.num_src, 3, 10), (graph.num_dst, 3), (graph.num_src, 3))
    leaves = [random(*size).requires_grad_() for size in sizes]
    y = sg.ops.gat(graph, *leaves, mask, random(graph.num_edges, 3), dropout=0.4, seed=2)
    torch.autograd.grad(y, leaves, torch.ones_like(y))
    features, t = random(graph.num_src, 40).requires_grad_(), random(40).requires_grad_()
    means = sg.ops.softmax_aggregate(graph, features, t, mask, eps=0.1)
    torch.autograd.grad(means, (features, t), torch.ones_like(means))
    sums = sg.ops.edge_scores(graph, *leaves[1:], mask, negative_slope=0.2)
    torch.autograd.grad(sums, leaves[1:], torch.ones_like(sums))


def run_linear(random: Random, device: str) -> None:
    """Forward and backward of the products with pruned weights."""
    dense = torch.randn(32, 64) * (torch.rand(32, 64) < 0.3)
    blocks = dense * (torch.arange(64) % 32 < 16)
    rows = dense * (torch.arange(32) % 3 != 1)[:, None]
    inputs = random(50, 64).requires_grad_()
    sparse = sg.SparseWeight.from_dense(dense).to(device)
    block = sg.BlockWeight.from_dense(blocks, 16).to(device)
    compact = sg.CompactWeight.from_dense(rows).to(device)
    products = (
        (sg.ops.sparse_linear(inputs, sparse), sparse),
        (sg.ops.block_linear(inputs, block), block),
        (sg.ops.compact_linear(inputs, compact), compact),
    )
    for y, weight in products:
        torch.autograd.grad(y, (inputs, weight.values), torch.ones_like(y))


def run_update(random: Random) -> None:
    """A mask update in place."""
    weight, moment = random(40, 70), random(40, 70)
    mask = weight > 0
    sg.ops.drop_and_grow_(mask, weight, [moment], random(40, 70), 300)
    sg.ops.drop_and_grow_(mask, weight, [moment], random(40, 70), 300, regrow=False)


def run_rows_of_every_length(dtype: torch.dtype, index: torch.dtype, device: str) -> None:
    """Rows that share a warp, longer ones, and a hub that is cut into chunks, both directions."""
    degrees = torch.arange(300) % 5
    degrees[[7, 200]] = torch.tensor([40, 1200])
    target = torch.repeat_interleave(torch.arange(300), degrees)
    edges = torch.stack([torch.arange(target.numel()) % 300, target])
    graph = moved(sg.Graph.from_edge_index(edges, 300), index, device)
    reverse = moved(sg.Graph.from_edge_index(edges.flip(0), 300), index, device)
    for width in (3, 8, 140):
        x = torch.randn(300, width).to(dtype).to(device)
        sg.ops.spmm(graph, x, reduce="mean")
        weight = torch.rand(target.numel()).to(device).requires_grad_()
        leaf = x.detach().requires_grad_()
        torch.autograd.grad(sg.ops.spmm(reverse, leaf, weight), (leaf, weight), x)
        for hub in (graph, reverse):
            torch.autograd.grad(sg.ops.softmax_aggregate(hub, leaf), leaf, x)


def run_walks(device: str) -> None:
    """Walks with times and weights, and without."""
    edges = random_graph(60, 60, 400, 1)
    graph, start = edges.graph().to(device), torch.arange(60, device=device)
    sg.ops.random_walk(graph, start, 9, seed=1)
    sg.ops.random_walk(graph, start, 9, seed=1, edge_time=torch.rand(400).to(device))
    sg.ops.random_walk(graph, start, 9, seed=1, weight=torch.rand(400).to(device))


def run_all(device: str) -> None:
    """Every operator in every type."""
    torch.manual_seed(0)
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
        for index in (torch.int32, torch.int64):
            run_type(dtype, index, device)
    run_walks(device)


if __name__ == "__main__":
    run_all("cuda")
    torch.cuda.synchronize()
