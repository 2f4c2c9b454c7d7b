"""The operators beside what a torch or PyG user runs today, checked before they are timed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

import sparsegnn as sg
from bench.gpu.timing import compare
from sparsegnn.testing import TOLERANCES, power_law_graph

Case = dict[str, object]
Run = Callable[[], Tensor]

NODES, EDGES = 169_343, 2_315_598  # the counts of ogbn-arxiv, both directions
WIDTHS = (16, 32, 64, 128, 256)


def checked(
    alternatives: Mapping[str, Run], expected: Tensor, dtype: torch.dtype
) -> dict[str, Run]:
    """Keeps the alternatives that run; a wrong result is an error.

    Peers may lack a dtype or index type on this device: torch then raises RuntimeError, and the
    alternative is left out of the record.
    """
    kept = {}
    scale = max(1.0, float(expected.abs().max()))
    for name, run in alternatives.items():
        try:
            result = run().detach()
        except (RuntimeError, NotImplementedError) as error:
            if name == "sparsegnn":
                raise
            print(f"  {name} does not run here: {str(error).splitlines()[0][:100]}")
            continue
        error_size = float((result.double() - expected).abs().max()) / scale
        if error_size > 4 * TOLERANCES[dtype]:
            raise AssertionError(f"{name} is off by {error_size:.2e} of the largest result")
        kept[name] = run
    return kept


def torch_csr(graph: sg.Graph, values: Tensor, index: torch.dtype) -> Tensor:
    """The graph as a torch.sparse CSR matrix; `values` are in storage order."""
    return torch.sparse_csr_tensor(
        graph.rowptr.to(index),
        graph.col.to(index),
        values,
        size=(graph.num_dst, graph.num_src),
        check_invariants=False,
    )


def spmm_case(graph: sg.Graph, dtype: torch.dtype, width: int) -> Case:
    """Unweighted aggregation beside torch.sparse; weighted, and a dense product, for scale."""
    ones = torch.ones(graph.num_edges, dtype=dtype, device="cuda")
    weight = torch.rand(graph.num_edges, device="cuda")
    narrow, wide = (torch_csr(graph, ones, index) for index in (torch.int32, torch.int64))
    x = torch.randn(graph.num_src, width, device="cuda").to(dtype)
    square = torch.randn(width, width, device="cuda").to(dtype)
    expected = torch_csr(graph, ones.double(), torch.int64) @ x.double()
    alternatives: dict[str, Run] = {
        "sparsegnn": lambda: sg.ops.spmm(graph, x),
        "torch.sparse int32": lambda: narrow @ x,
        "torch.sparse int64": lambda: wide @ x,
    }
    kept = checked(alternatives, expected, dtype)
    kept["sparsegnn weighted"] = lambda: sg.ops.spmm(graph, x, weight)
    kept["dense GEMM, no aggregation"] = lambda: x @ square
    return {
        "case": "spmm",
        "dtype": str(dtype),
        "nodes": graph.num_nodes,
        "edges": graph.num_edges,
        "width": width,
        "gathered_bytes": graph.num_edges * width * x.element_size(),
        "timings": compare(kept),
    }


def spmm_cases() -> Iterator[Case]:
    """Aggregation of a power-law graph, by dtype and width."""
    graph = power_law_graph(NODES, EDGES).in_storage_order().to("cuda")
    for dtype in (torch.float32, torch.bfloat16):
        for width in WIDTHS:
            yield spmm_case(graph, dtype, width)


def pyg_aggregation(edges: Tensor) -> Callable[[Tensor, Tensor], Tensor] | None:
    """PyG's gather/scatter over the edges; None where PyG is not installed."""
    try:
        from torch_geometric.nn import SimpleConv
    except ImportError:
        print("  torch_geometric is not installed: its gather/scatter is left out")
        return None
    conv = SimpleConv(aggr="sum")
    return lambda x, weight: conv(x, edges, weight)


def training_case(graph: sg.Graph, width: int) -> Case:
    """Weighted aggregation with gradients for features and edge weights; peers must agree."""
    source, target = graph.edge_index
    x = torch.randn(graph.num_src, width, device="cuda", requires_grad=True)
    weight = torch.rand(graph.num_edges, device="cuda", requires_grad=True)
    grad = torch.randn(graph.num_dst, width, device="cuda")

    def scatter() -> Tensor:
        out = torch.zeros(graph.num_dst, width, device="cuda")
        return out.index_add(0, target, x[source] * weight.unsqueeze(1))

    alternatives: dict[str, Run] = {
        "sparsegnn": lambda: sg.ops.spmm(graph, x, weight),
        "torch gather/scatter": scatter,
    }
    pyg = pyg_aggregation(torch.stack([source, target]))
    if pyg is not None:
        alternatives["PyG gather/scatter"] = lambda: pyg(x, weight)
    expected = scatter().detach().double()
    kept = checked(alternatives, expected, torch.float32)

    def step(run: Run) -> Callable[[], object]:
        return lambda: torch.autograd.grad(run(), (x, weight), grad)

    runs = {name: step(run) for name, run in kept.items()}
    return {"case": "spmm forward+backward", "width": width, "timings": compare(runs, rounds=7)}


def training_cases() -> Iterator[Case]:
    """Forward and backward of a weighted aggregation."""
    graph = power_law_graph(NODES, EDGES).in_storage_order().to("cuda")
    for width in (64, 128):
        yield training_case(graph, width)


def selection_cases() -> Iterator[Case]:
    """The largest tenth of ten million scores."""
    scores = torch.randn(10_000_000, device="cuda")
    k = scores.numel() // 10
    mask = sg.ops.topk_mask([scores], k)[0]
    if int(mask.sum()) != k or float(scores[mask].min()) < float(scores[~mask].max()):
        raise AssertionError("topk_mask did not select the largest scores")
    timings = compare(
        {
            "sparsegnn": lambda: sg.ops.topk_mask([scores], k),
            "torch.topk": lambda: torch.topk(scores, k, sorted=False),
            "torch.kthvalue": lambda: torch.kthvalue(scores, scores.numel() - k + 1),
        },
        rounds=7,
    )
    yield {"case": "topk_mask", "scores": scores.numel(), "k": k, "timings": timings}


def linear_case(sparsity: float) -> Case:
    """A layer with pruned weights beside the dense layer."""
    x = torch.randn(20_000, 512, device="cuda")
    dense = torch.randn(512, 512) * (torch.rand(512, 512) >= sparsity)
    weight = sg.SparseWeight.from_dense(dense).to("cuda")
    full = dense.to("cuda")
    alternatives: dict[str, Run] = {
        "sparsegnn": lambda: sg.ops.sparse_linear(x, weight).detach(),
        "dense": lambda: x @ full.t(),
    }
    kept = checked(alternatives, x.double() @ full.double().t(), torch.float32)
    return {"case": "sparse_linear", "sparsity": sparsity, "timings": compare(kept, rounds=7)}


def linear_cases() -> Iterator[Case]:
    """Sparse weights at two sparsities."""
    for sparsity in (0.9, 0.98):
        yield linear_case(sparsity)
