"""A learnable edge mask: forward and backward of one masked aggregation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

import sparsegnn as sg
from bench.gpu.aggregation import pyg_aggregation
from bench.gpu.bars import OURS
from bench.gpu.checks import Run, checked
from bench.gpu.sections import Case, Cases
from bench.gpu.setting import Setting
from bench.gpu.shapes import arxiv, make_graph
from bench.gpu.timing import compare


def cases(setting: Setting) -> Cases:
    """Gradients of features and mask at two widths."""
    shape = arxiv(setting)
    graph = make_graph(shape, setting)
    for width in setting.size((64, 128), (8,)):
        yield f"mask step {shape.name} F={width}", partial(step_case, setting, graph, width)


def step_case(setting: Setting, graph: sg.Graph, width: int) -> Case:
    """The whole step beside PyG and plain torch, and beside our backward as two operators."""
    source, target = graph.edge_index
    x = torch.randn(graph.num_src, width, device=setting.device, requires_grad=True)
    mask = torch.rand(graph.num_edges, device=setting.device, requires_grad=True)
    grad = torch.randn(graph.num_dst, width, device=setting.device)

    def scatter() -> Tensor:
        out = torch.zeros(graph.num_dst, width, device=setting.device)
        return out.index_add(0, target, x[source] * mask.unsqueeze(1))

    alternatives: dict[str, Run] = {
        OURS: lambda: sg.ops.spmm(graph, x, edge_mask=mask),
        "torch gather/scatter": scatter,
    }
    pyg = pyg_aggregation(graph)
    if pyg is not None:
        alternatives["PyG"] = lambda: pyg(x, mask)
    kept = checked(alternatives, scatter().detach().double(), torch.float32)

    def step(run: Run) -> Callable[[], object]:
        return lambda: torch.autograd.grad(run(), (x, mask), grad)

    runs: dict[str, Callable[[], object]] = {name: step(run) for name, run in kept.items()}
    runs["sparsegnn, separate backward"] = lambda: separate(graph, x.detach(), mask.detach(), grad)
    _agree(runs)
    return {"width": width, "edges": graph.num_edges, "timings": compare(setting, runs)}


def separate(graph: sg.Graph, x: Tensor, mask: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
    """The step as forward, transposed product and sampled product."""
    sg.ops.spmm(graph, x, edge_mask=mask)
    return sg.ops.spmm(graph, grad, edge_mask=mask, transpose=True), sg.ops.sddmm(graph, grad, x)


def _agree(runs: dict[str, Callable[[], object]]) -> None:
    """Raises unless all alternatives give the same gradients."""
    expected: list[Tensor] = list(runs["torch gather/scatter"]())  # type: ignore[call-overload]
    for name, run in runs.items():
        for got, wanted in zip(run(), expected, strict=True):  # type: ignore[call-overload]
            apart = float((got - wanted).abs().max() / wanted.abs().max().clamp(min=1e-30))
            if apart > 1e-3:
                raise AssertionError(f"the gradients of {name} are off by {apart:.2e}")
