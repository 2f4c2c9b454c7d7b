"""A training step of a small GCN: eager, replayed from a CUDA graph, and PyG's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

import sparsegnn as sg
from bench.gpu.bars import OURS
from bench.gpu.sections import Case, Cases
from bench.gpu.setting import Setting
from bench.gpu.shapes import Shape, make_graph
from bench.gpu.timing import compare

CORA = Shape("cora-sized", 2708, 10_556)
FEATURES, HIDDEN, CLASSES = 1433, 16, 7
Step = Callable[[], object]


def cases(setting: Setting) -> Cases:
    """Launch-bound work: the time is that of the calls, not of the kernels."""
    yield f"GCN step {CORA.name}", partial(gcn_case, setting)


def gcn_case(setting: Setting) -> Case:
    """Forward, backward and Adam."""
    graph = make_graph(CORA, setting)
    x = torch.rand(CORA.nodes, FEATURES, device=setting.device)
    y = torch.randint(CLASSES, (CORA.nodes,), device=setting.device)
    runs: dict[str, Step] = {}
    ours = make_step(sg.nn.GCN(FEATURES, HIDDEN, 2, CLASSES), x, graph, y, setting)
    runs[OURS] = ours
    if setting.device == "cuda":
        runs["sparsegnn, CUDA graph"] = captured(ours)
    try:
        from torch_geometric.nn.models import GCN
    except ImportError:
        print("  torch_geometric is not installed: its step is left out")
    else:
        model = GCN(FEATURES, HIDDEN, 2, CLASSES)
        runs["PyG"] = make_step(model, x, graph.edge_index, y, setting)
    return {"nodes": CORA.nodes, "timings": compare(setting, runs)}


def make_step(
    model: torch.nn.Module, x: torch.Tensor, graph: Any, y: torch.Tensor, setting: Setting
) -> Step:
    """One step of a model, without a host synchronisation."""
    model = model.to(setting.device).train()
    on_gpu = setting.device == "cuda"
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, capturable=on_gpu)

    def step() -> object:
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(model(x, graph), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def captured(step: Step) -> Step:
    """The same step replayed from a CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    recorded = torch.cuda.CUDAGraph()
    with torch.cuda.graph(recorded):
        step()
    return recorded.replay
