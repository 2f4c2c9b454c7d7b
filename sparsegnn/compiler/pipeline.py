"""From a model, its graph and features to the fastest program that is exact."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from sparsegnn.compiler.candidates import Sizes, takes_sparse
from sparsegnn.compiler.capture import capture
from sparsegnn.compiler.compiled import CompiledModel
from sparsegnn.compiler.dense import DenseProgram
from sparsegnn.compiler.errors import Unsupported
from sparsegnn.compiler.features import (
    FeatureInput,
    Features,
    count_used,
    rows_of,
    used_columns,
)
from sparsegnn.compiler.fold import simplified
from sparsegnn.compiler.liveness import Liveness, compacted, liveness, padded
from sparsegnn.compiler.network import INPUT, Network
from sparsegnn.compiler.nodes import features_read
from sparsegnn.compiler.planner import Choice, Forms, Planner
from sparsegnn.compiler.program import Program, assemble
from sparsegnn.compiler.report import Report
from sparsegnn.compiler.reporting import describe, undescribed
from sparsegnn.compiler.restrict import Restricted, restricted
from sparsegnn.compiler.stored import Stored
from sparsegnn.compiler.timing import comparable
from sparsegnn.compiler.units import Unit, form_units
from sparsegnn.compiler.variants import best_plan
from sparsegnn.graph import Graph

# Largest difference from the masked model, relative to its largest output.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}

# Sparse features are considered up to this density, dense ones from the second on.
SPARSE_UP_TO = 0.5
DENSE_FROM = 0.0625

_ROUNDS = 21
_BUDGET_S = 1.0


@dataclass(frozen=True)
class Problem:
    """Everything that is checked once and then given.

    Attributes:
        model: The plain model in evaluation mode, with zeros at the pruned weights.
        x: Features [N, F].
        whole: The whole graph.
        pruned: The graph without the pruned edges; the same object when none are.
        arguments: Further arguments of the model on the pruned graph.
        whole_arguments: The same on the whole graph.
        nodes: int64, the nodes of the result, in its order; None for all.
        reorder: An order of the nodes to try, or None.
        fixed_features: Whether the program takes no other features.
    """

    model: nn.Module
    x: Features
    whole: Graph
    pruned: Graph
    arguments: dict[str, Any] = field(default_factory=dict)
    whole_arguments: dict[str, Any] = field(default_factory=dict)
    nodes: Tensor | None = None
    reorder: str | None = None
    fixed_features: bool = False

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of features and model."""
        return self.x.dtype

    @property
    def nodes_returned(self) -> int:
        """Rows of the result."""
        return self.whole.num_nodes if self.nodes is None else len(self.nodes)


@dataclass(frozen=True)
class Plan:
    """A program and how it came about.

    Attributes:
        captured: The network of the model.
        network: The same, simplified.
        live: What can influence its result.
        part: What is left of it, on the nodes that the result depends on; its values are those of
            the units.
        choices: How every unit is executed.
        program: What is executed.
    """

    captured: Network
    network: Network
    live: Liveness
    part: Restricted
    choices: list[Choice]
    program: Program


def compile_problem(problem: Problem, *, tune: bool) -> CompiledModel:
    """The fastest exact program; the dense model when that is faster, or not understood."""
    masked = _dense(problem, problem.pruned, problem.arguments)
    try:
        captured = _captured(problem)
        make = partial(_plan, problem, captured, tune=tune)
        plan, variants = best_plan(problem, captured, make, tune=tune)
    except Unsupported as reason:
        report = undescribed(problem, f"the model cannot be compiled: {reason}")
        return CompiledModel(masked, problem.x, report)
    error = _relative_error(plan.program, masked)
    report = replace(describe(problem, plan, error), variants=variants)
    if not error <= TOLERANCE[problem.dtype]:
        return _fall_back(problem, masked, report, f"the plan differs by {error:.1e}")
    if not tune:
        return CompiledModel(plan.program, problem.x, report)
    report = _with_times(problem, plan.program, masked, report)
    assert report.compiled_ms is not None and report.masked_ms is not None
    assert report.dense_ms is not None
    limit = min(report.masked_ms.median_ms, report.dense_ms.median_ms)
    if report.compiled_ms.median_ms > limit:
        slower = (
            f"the plan takes {report.compiled_ms.median_ms:.3f} ms, the dense model {limit:.3f} ms"
        )
        return _fall_back(problem, masked, report, slower)
    return CompiledModel(plan.program, problem.x, report)


def make_plan(problem: Problem, *, tune: bool) -> Plan:
    """Captures, simplifies, removes what is dead, and plans what is left.

    Raises:
        Unsupported: The forward pass cannot be followed.
    """
    return _plan(problem, _captured(problem), tune=tune)


def _captured(problem: Problem) -> Network:
    x = problem.x
    return capture(problem.model, problem.pruned, x.shape[1], problem.arguments, problem.dtype)


def _plan(
    problem: Problem,
    captured: Network,
    *,
    tune: bool,
    stored: Stored | None = None,
    order: Tensor | None = None,
    whole: bool = False,
) -> Plan:
    """Plans a captured model.

    Args:
        problem: What to compile.
        captured: The network of the model.
        tune: Measure the candidates.
        stored: Values to start from in place of the features.
        order: int64 [N], the nodes in the order of the rows inside; None for their own.
        whole: Compute all nodes, also those that the result does not depend on.
    """
    start = Stored(captured, problem.x) if stored is None else stored
    x, nodes, fixed = start.x, problem.pruned.num_nodes, problem.fixed_features
    left_out = fixed and not whole
    read = features_read(start.network, nodes, problem.nodes) if left_out else None
    used = used_columns(rows_of(x, read))
    network = simplified(start.network, used)
    live = liveness(network, used)
    small = compacted(network, padded(network, live.kept))
    sparse = _is_sparse(x, len(live.kept[INPUT]))
    part = restricted(small, nodes, problem.nodes, order, sparse_features=sparse, whole=whole)
    units = form_units(part.network)
    readable = liveness(simplified(start.network)).kept[INPUT]

    def make_input(sparse: bool) -> FeatureInput:
        shape = (x.shape[0], x.shape[1])
        kept = live.kept[INPUT]
        return FeatureInput(kept, readable, shape, sparse, problem.dtype, part.features, fixed)

    as_sparse = make_input(True).read(x)
    forms = _forms(units, part.network, as_sparse, lambda: make_input(False).read(x))
    sizes = Sizes(nodes, forms.sparse, part.rows)
    choices = Planner(forms, sizes, tune=tune).plan(units)
    program = assemble(choices, part.network.output, forms, make_input)
    return Plan(captured, network, live, part, choices, program)


def _is_sparse(x: Features, columns: int) -> bool:
    """Whether sparse features may be worth it, from their number of columns that are kept."""
    return count_used(x) <= SPARSE_UP_TO * x.shape[0] * columns


def _dense(problem: Problem, graph: Graph, arguments: dict[str, Any]) -> DenseProgram:
    """The model on one of the two graphs."""
    fixed = problem.fixed_features
    return DenseProgram(problem.model, graph, problem.x, arguments, problem.nodes, fixed=fixed)


def _forms(units: list[Unit], network: Network, sparse: Any, make_dense: Any) -> Forms:
    readers = [unit for unit in units if INPUT in unit.reads]
    density = sparse.nnz / max(1, sparse.shape[0] * sparse.shape[1])
    as_sparse = density <= SPARSE_UP_TO and any(takes_sparse(unit) for unit in readers)
    needs_dense = network.output == INPUT or not all(
        takes_sparse(unit) and unit.residual != INPUT for unit in readers
    )
    as_dense = needs_dense or not as_sparse or density >= DENSE_FROM
    return Forms(sparse if as_sparse else None, make_dense() if as_dense else None)


def _relative_error(program: Program, masked: DenseProgram) -> float:
    """Largest difference of the two programs' results over the largest number of the latter."""
    with torch.inference_mode():
        expected = masked()
        difference = (program() - expected).abs()
    if difference.numel() == 0:
        return 0.0
    scale = float(expected.abs().max())
    worst = float(difference.max())
    return worst / scale if scale > 0 else worst


def _with_times(problem: Problem, program: Program, masked: DenseProgram, report: Report) -> Report:
    functions: dict[str, Any] = {"compiled": program, "masked": masked}
    if problem.whole is not problem.pruned:
        functions["dense"] = _dense(problem, problem.whole, problem.whole_arguments)
    with torch.inference_mode():
        timings = comparable(
            functions, rounds=_ROUNDS, budget_s=_BUDGET_S, device=problem.whole.device
        )
    return replace(
        report,
        compiled_ms=timings["compiled"],
        dense_ms=timings.get("dense", timings["masked"]),
        masked_ms=timings["masked"],
        reason="fastest of the measured plans, and no slower than the dense model",
    )


def _fall_back(
    problem: Problem, masked: DenseProgram, report: Report, reason: str
) -> CompiledModel:
    return CompiledModel(masked, problem.x, replace(report, plan="dense", reason=reason))
