"""Sums of neighbours beside torch.sparse, cuSPARSE and PyG, over graphs, widths and dtypes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

import sparsegnn as sg
from bench.gpu.bars import OURS
from bench.gpu.checks import Run, checked
from bench.gpu.cusparse import cusparse_runs
from bench.gpu.model import spmm_bytes
from bench.gpu.sections import Case, Cases
from bench.gpu.setting import Setting
from bench.gpu.shapes import Shape, graphs
from bench.gpu.timing import compare, median

WIDTHS = (16, 64, 128, 256)
DTYPES = (torch.float32, torch.bfloat16)
MESSAGE_BYTES = 4 << 30  # PyG's rows per edge beyond this are not tried


def cases(setting: Setting) -> Cases:
    """Unweighted sums; the widest first, so that what is left out last matters least."""
    for shape, graph in graphs(setting):
        for width in setting.size(WIDTHS, (3, 32)):
            for dtype in DTYPES:
                name = f"spmm {shape.name} F={width} {dtype_name(dtype)}"
                yield name, partial(spmm_case, setting, shape, graph, dtype, width)


def dtype_name(dtype: torch.dtype) -> str:
    """Such as "float32"."""
    return str(dtype).removeprefix("torch.")


def torch_csr(graph: sg.Graph, values: Tensor, index: torch.dtype) -> Tensor:
    """The graph as a torch.sparse CSR matrix; `values` are in storage order."""
    return torch.sparse_csr_tensor(
        graph.rowptr.to(index),
        graph.col.to(index),
        values,
        size=(graph.num_dst, graph.num_src),
        check_invariants=False,
    )


def pyg_aggregation(graph: sg.Graph) -> Callable[[Tensor, Tensor | None], Tensor] | None:
    """PyG's gather/scatter over the edges; None where PyG is not installed."""
    try:
        from torch_geometric.nn import SimpleConv
    except ImportError:
        print("  torch_geometric is not installed: its gather/scatter is left out")
        return None
    conv, edges = SimpleConv(aggr="sum"), graph.edge_index
    return lambda x, weight: conv(x, edges, weight)


def spmm_case(
    setting: Setting, shape: Shape, graph: sg.Graph, dtype: torch.dtype, width: int
) -> Case:
    """One cell of the grid."""
    edges, nodes = graph.num_edges, graph.num_src
    ones = torch.ones(edges, dtype=dtype, device=setting.device)
    narrow, wide = (torch_csr(graph, ones, index) for index in (torch.int32, torch.int64))
    x = torch.randn(nodes, width, device=setting.device).to(dtype)
    expected = torch_csr(graph, ones.double(), torch.int64) @ x.double()
    alternatives: dict[str, Run] = {
        OURS: lambda: sg.ops.spmm(graph, x),
        "torch.sparse int32": lambda: narrow @ x,
        "torch.sparse int64": lambda: wide @ x,
    }
    if setting.device == "cuda":
        alternatives |= cusparse_runs(graph, x)
    pyg = pyg_aggregation(graph) if edges * width * x.element_size() <= MESSAGE_BYTES else None
    if pyg is not None:
        alternatives["PyG gather/scatter"] = lambda: pyg(x, None)
    kept = checked(alternatives, expected, dtype)
    weight = torch.rand(edges, device=setting.device)
    kept["sparsegnn weighted"] = lambda: sg.ops.spmm(graph, x, weight)
    timings = compare(setting, kept, rounds=5)
    moved = spmm_bytes(nodes, edges, width, x.element_size())
    return {
        "graph": shape.name,
        "nodes": nodes,
        "edges": edges,
        "width": width,
        "dtype": dtype_name(dtype),
        "footprint_bytes": x.numel() * x.element_size(),
        "row_bytes": width * x.element_size(),
        "moved_bytes": moved,
        "gb_per_s": moved / median(timings, OURS) / 1e9,
        "timings": timings,
    }
