"""Sums of top-k rows (MaxK) beside dense sums of the same graph."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch

import sparsegnn as sg
from bench.gpu.bars import OURS
from bench.gpu.cusparse import cusparse_runs
from bench.gpu.sections import Case, Cases
from bench.gpu.setting import Setting
from bench.gpu.shapes import arxiv, make_graph
from bench.gpu.timing import compare, median

WIDTH = 256


def cases(setting: Setting) -> Cases:
    """Some of 256 features per row; the goal is at k = 32."""
    shape = arxiv(setting)
    graph = make_graph(shape, setting)
    for k in (32, 8, 16, 64):
        yield f"top-k rows {shape.name}, k={k}", partial(rows_case, setting, graph, k)


def rows_case(setting: Setting, graph: sg.Graph, k: int) -> Case:
    """One k; "cuSPARSE" is its fastest algorithm on the dense features."""
    x = torch.randn(graph.num_src, WIDTH, device=setting.device)
    sparse = sg.ops.topk_rows(x, k)
    dense = sparse.to_dense()
    expected = sg.ops.spmm(graph, dense)
    apart = float((sg.ops.spmm(graph, sparse) - expected).abs().max() / expected.abs().max())
    if apart > 1e-4:
        raise AssertionError(f"spmm of top-k rows is off by {apart:.2e}")
    runs: dict[str, Callable[[], object]] = {
        OURS: lambda: sg.ops.spmm(graph, sparse),
        "sparsegnn, dense rows": lambda: sg.ops.spmm(graph, dense),
    }
    if setting.device == "cuda":
        runs |= cusparse_runs(graph, dense)
    timings = compare(setting, runs)
    peers = [name for name in timings if name.startswith("cuSPARSE")]
    if peers:
        timings["cuSPARSE"] = timings[min(peers, key=lambda name: median(timings, name))]
    return {"k": k, "width": WIDTH, "timings": timings}
