"""Launches every kernel once on small inputs: the program that compute-sanitizer watches.

Inputs are made on the CPU and copied, so that few kernels of torch run beside ours.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import sparsegnn as sg
from sparsegnn.graph import CsrTensors
from sparsegnn.testing import adversarial_graph


def run_type(dtype: torch.dtype, index: torch.dtype) -> None:
    """Every operator in one element and index type, aligned and tail widths."""
    graph = adversarial_graph("random").graph()
    csr = (None if t is None else t.to(index).to("cuda") for t in graph.csr)
    moved = sg.Graph(CsrTensors(*csr))  # type: ignore[arg-type]
    mask = sg.Mask.from_bool(torch.rand(graph.num_edges) < 0.5).to("cuda")
    dense = torch.randn(9, 40) * (torch.rand(9, 40) < 0.3)
    weight = sg.SparseWeight.from_dense(dense).to("cuda")
    for width in (7, 40, 264):
        x = torch.randn(graph.num_src, width).to(dtype).to("cuda")
        a = torch.randn(graph.num_dst, width).to(dtype).to("cuda")
        sg.ops.spmm(moved, x, edge_mask=mask, reduce="mean")
        sg.ops.spmm(moved, x, residual=a, dropout=0.5, seed=1, relu=True)
        sg.ops.sddmm(moved, a, x)
        sg.ops.spmm(moved, sg.ops.topk_rows(x, width // 2))
    scored = torch.randn(graph.num_edges, 2).to(dtype).to("cuda")
    sg.ops.edge_softmax(moved, scored, mask)
    run_rows_of_every_length(dtype, index)
    inputs = torch.randn(50, 40).to(dtype).to("cuda").requires_grad_()
    y = sg.ops.sparse_linear(inputs, weight)
    torch.autograd.grad(y, (inputs, weight.values), torch.ones(50, 9).to(dtype).to("cuda"))
    scores = [torch.randn(5000).to(dtype).to("cuda"), torch.zeros(300).to(dtype).to("cuda")]
    sg.ops.topk_mask(scores, 2600)


def run_rows_of_every_length(dtype: torch.dtype, index: torch.dtype) -> None:
    """Rows that share a warp, longer ones, and a hub that is cut into chunks."""
    degrees = torch.arange(300) % 5
    degrees[[7, 200]] = torch.tensor([40, 1200])
    target = torch.repeat_interleave(torch.arange(300), degrees)
    edges = torch.stack([torch.arange(target.numel()) % 300, target])
    csr = sg.Graph.from_edge_index(edges, 300).csr
    moved = sg.Graph(CsrTensors(*(None if t is None else t.to(index).to("cuda") for t in csr)))  # type: ignore[arg-type]
    for width in (3, 8, 140):
        sg.ops.spmm(moved, torch.randn(300, width).to(dtype).to("cuda"), reduce="mean")


def main() -> None:
    """Runs every type and waits for the GPU."""
    torch.manual_seed(0)
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
        for index in (torch.int32, torch.int64):
            run_type(dtype, index)
    torch.cuda.synchronize()


if __name__ == "__main__":
    main()
