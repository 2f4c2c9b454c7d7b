"""One case of the sweep: compiled, checked, and timed beside the dense model."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

import sparsegnn as sg
from bench.cases import OURS, MismatchError
from bench.harness import Plan, Run, measure, ratios
from bench.never_slower.drawing import Drawn
from bench.never_slower.inputs import Inputs, make
from bench.schema import CaseRecord, Ratio, Timing
from sparsegnn.compiler import CompiledModel

NOISE = 1.03
DENSE = "sparsegnn dense model"
KEPT = "sparsegnn dense model, kept edges"
PYG = "PyG eager"
TOLERANCE = 1e-3

FIRST = Plan(
    rounds=7, warmup=2, min_sample_s=0.005, settle_s=0.001, budget_s=0.5, min_rounds=3, slow_s=0.2
)
AGAIN = Plan(
    rounds=15, warmup=2, min_sample_s=0.02, settle_s=0.001, budget_s=4.0, min_rounds=5, slow_s=0.05
)
REPEATS = 2

Measure = Callable[[Mapping[str, Run], Plan], dict[str, Timing]]


def compare(drawn: Drawn, seed: int) -> CaseRecord:
    """Compiles a case, checks its result and times it; `values["slower"]` is 1 for a loss.

    Raises:
        MismatchError: The compiled model does not compute what PyG computes.
    """
    inputs = make(drawn, seed)
    x = sg.SparseMatrix.from_dense(inputs.x) if drawn.sparse_x else inputs.x
    began = time.perf_counter()
    compiled = sg.compile(
        inputs.model,
        inputs.edge_index,
        x,
        edge_mask=inputs.kept if drawn.graph_sparsity > 0 else None,
    )
    spent = time.perf_counter() - began
    with torch.inference_mode():
        error = _error(compiled, inputs)
        timings, slower, repeats = judged(_alternatives(drawn, inputs, x, compiled))
    if not error <= TOLERANCE:
        raise MismatchError(f"{drawn.name}: off by {error:.1e} of the largest output")
    report = compiled.report()
    return CaseRecord(
        name=drawn.name,
        params=drawn.params(),
        threads=torch.get_num_threads(),
        subject=OURS,
        timings=timings,
        ratios=ratios(timings, OURS),
        max_error={OURS: error},
        values={
            "slower": float(slower),
            "repeated": float(repeats),
            "kept as it is": float(report.plan == "dense"),
            "compile s": spent,
        },
        note="; ".join([report.plan, report.reason, *(layer.chosen for layer in report.layers)]),
    )


def judged(
    runs: Mapping[str, Run], measure: Measure = measure
) -> tuple[dict[str, Timing], bool, int]:
    """Timings of the run that decided, whether the subject is slower, and the number of repeats.

    Args:
        runs: The subject and its peers.
        measure: Times them.
    """
    timings = measure(runs, FIRST)
    suspects = [ratio.peer for ratio in _losses(timings)]
    for repeat in range(REPEATS if suspects else 0):
        timings = measure(runs, AGAIN)
        lost = {ratio.peer for ratio in _losses(timings)}
        suspects = [peer for peer in suspects if peer in lost]
        if not suspects:
            return timings, False, repeat + 1
    return timings, bool(suspects), REPEATS if suspects else 0


def _losses(timings: dict[str, Timing]) -> list[Ratio]:
    return [ratio for ratio in ratios(timings, OURS) if ratio.wall.median < 1.0 / NOISE]


def _alternatives(
    drawn: Drawn, inputs: Inputs, x: Tensor | sg.SparseMatrix, compiled: CompiledModel
) -> dict[str, Run]:
    graph = sg.Graph.from_edge_index(inputs.edge_index, num_nodes=drawn.nodes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        dense = sg.nn.convert(copy.deepcopy(inputs.model))
    features = x if _takes(dense, x, graph) else inputs.x
    runs: dict[str, Run] = {
        OURS: compiled,
        DENSE: partial(dense, features, graph),
        PYG: partial(inputs.model, inputs.x, inputs.edge_index),
    }
    if drawn.graph_sparsity > 0:
        runs[KEPT] = partial(dense, features, graph.select(inputs.kept))
    return runs


def _takes(model: torch.nn.Module, x: Tensor | sg.SparseMatrix, graph: sg.Graph) -> bool:
    try:
        model(x, graph)
    except (TypeError, AttributeError):
        return False
    return True


def _error(compiled: CompiledModel, inputs: Inputs) -> float:
    expected = inputs.model(inputs.x, inputs.edge_index[:, inputs.kept])
    difference = (compiled() - expected).abs().max()
    return float(difference / expected.abs().max().clamp(min=1e-30))
