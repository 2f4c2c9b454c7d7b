"""Fills a `Report` from a compiled problem."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sparsegnn.compiler.capture import capture
from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.macs import (
    MacCount,
    Setting,
    column_entries,
    count_macs,
    layer_macs,
    undirected_links,
    weight_density,
)
from sparsegnn.compiler.network import Network, Operation
from sparsegnn.compiler.report import Bytes, LayerReport, Report
from sparsegnn.compiler.row_ops import Linear
from sparsegnn.nn import unconverted

if TYPE_CHECKING:
    from sparsegnn.compiler.pipeline import Plan, Problem
    from sparsegnn.compiler.planner import Choice


def describe(problem: Problem, plan: Plan, error: float) -> Report:
    """The report before any whole program has been measured."""
    dense = _whole_network(problem, plan)
    setting = _pruned_setting(problem, plan)
    return Report(
        plan="compiled",
        reason="estimated to be the fastest plan, not measured",
        layers=tuple(_layers(plan, setting)),
        edges_kept=problem.pruned.num_edges,
        edges_total=problem.whole.num_edges,
        macs=_compiled_macs(plan, setting),
        macs_dense=_dense_macs(problem, dense),
        macs_kept=_kept_macs(problem, plan, setting),
        memory=Bytes(plan.program.weight_bytes, plan.program.graph_bytes),
        memory_dense=_dense_bytes(problem, dense),
        compiled_ms=None,
        dense_ms=None,
        masked_ms=None,
        kept_layers=unconverted(problem.model),
        relative_error=error,
        threads=torch.get_num_threads(),
        device=str(problem.whole.device),
        torch_version=torch.__version__,
        nodes_returned=problem.nodes_returned,
        nodes_total=problem.whole.num_nodes,
    )


def undescribed(problem: Problem, reason: str) -> Report:
    """The report of a model that the compiler cannot follow: it is shipped as it is."""
    memory = Bytes(_parameter_bytes(problem), 0)
    return Report(
        plan="dense",
        reason=reason,
        layers=(),
        edges_kept=problem.pruned.num_edges,
        edges_total=problem.whole.num_edges,
        macs=None,
        macs_dense=None,
        macs_kept=None,
        memory=memory,
        memory_dense=memory,
        compiled_ms=None,
        dense_ms=None,
        masked_ms=None,
        kept_layers=unconverted(problem.model),
        relative_error=0.0,
        threads=torch.get_num_threads(),
        device=str(problem.whole.device),
        torch_version=torch.__version__,
        nodes_returned=problem.nodes_returned,
        nodes_total=problem.whole.num_nodes,
    )


def _whole_network(problem: Problem, plan: Plan) -> Network:
    """The model's network on the graph that nothing was pruned from."""
    if problem.whole is problem.pruned:
        return plan.captured
    return capture(
        problem.model, problem.whole, problem.x.shape[1], problem.whole_arguments, problem.dtype
    )


def _pruned_setting(problem: Problem, plan: Plan) -> Setting:
    edges = problem.whole.num_edges
    return Setting(
        problem.whole.num_nodes,
        undirected_links(problem.whole),
        edge_density=problem.pruned.num_edges / edges if edges else 1.0,
        weight_density=weight_density(plan.captured),
    )


def _compiled_macs(plan: Plan, setting: Setting) -> MacCount:
    steps = [step for choice in plan.choices for step in choice.chosen.steps]
    return MacCount(
        papers=count_macs(plan.captured, setting).papers,
        executed_dense_features=sum(step.dense_macs for step in steps),
        executed=sum(step.macs for step in steps),
    )


def _dense_macs(problem: Problem, network: Network) -> MacCount:
    x = problem.x
    nonzeros = None if isinstance(x, Tensor) else x.nnz
    links = undirected_links(problem.whole)
    return count_macs(network, Setting(problem.whole.num_nodes, links, nonzeros))


def _kept_macs(problem: Problem, plan: Plan, setting: Setting) -> MacCount:
    """What the pruned model leaves to multiply, in the order of its dense self."""
    x = problem.x
    skipping = replace(
        setting,
        feature_nonzeros=None if isinstance(x, Tensor) else x.nnz,
        skip_zeros=True,
        entries_per_column=column_entries(x),
    )
    return count_macs(plan.captured, skipping)


def _layers(plan: Plan, setting: Setting) -> Iterator[LayerReport]:
    """A report per choice; the papers' count of a module goes to the first that covers it."""
    papers = {path: count.papers for path, count in layer_macs(plan.captured, setting).items()}
    touched = iter(plan.program.touched_bytes())
    for choice in plan.choices:
        steps = choice.chosen.steps
        covered = [path for unit in choice.units for path in unit.where]
        macs = MacCount(
            papers=sum(papers.pop(path, 0) for path in covered),
            executed_dense_features=sum(step.dense_macs for step in steps),
            executed=sum(step.macs for step in steps),
        )
        yield _layer(plan, choice, macs, sum(next(touched) for _ in steps))


def _layer(plan: Plan, choice: Choice, macs: MacCount, touched: int) -> LayerReport:
    operations, widths = plan.network.operations, plan.network.widths()
    values = [choice.units[0].inputs[0], *(unit.output for unit in choice.units)]
    named = [plan.part.sources.get(value, value) for value in values]
    covered = [operations[v] for unit in choice.units for v in unit.values if v in operations]
    return LayerReport(
        name=" and ".join(unit.name for unit in choice.units),
        units=tuple(widths[value] for value in named),
        live_units=tuple(len(plan.live.kept[value]) for value in named),
        kept_weights=sum(
            int(op.weight.count_nonzero()) for op in covered if isinstance(op, Linear)
        ),
        chosen=choice.chosen.name,
        candidates=choice.considered,
        nodes=tuple(plan.part.rows[value] for value in values),
        edges=sum(_edges(op) for unit in choice.units for op in (unit.aggregate, unit.other)),
        macs=macs,
        touched_bytes=touched,
    )


def _edges(operation: Operation | None) -> int:
    matrix = getattr(operation, "matrix", None)
    return matrix.nnz if isinstance(matrix, CsrMatrix) else 0


def _dense_bytes(problem: Problem, network: Network) -> Bytes:
    found = [getattr(op, "matrix", None) for op in network.operations.values()]
    matrices = {id(matrix): matrix for matrix in found if isinstance(matrix, CsrMatrix)}
    graph = sum(t.numel() * t.element_size() for m in matrices.values() for t in m.buffers())
    return Bytes(_parameter_bytes(problem), graph)


def _parameter_bytes(problem: Problem) -> int:
    return sum(p.numel() * p.element_size() for p in problem.model.parameters())
