"""From a model, its graph and features to the fastest program that is exact."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from sparsegnn.compiler.candidates import takes_sparse
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
from sparsegnn.compiler.reporting import describe, undescribed
from sparsegnn.compiler.restrict import Restricted, restricted
from sparsegnn.compiler.shipping import ship, ship_model
from sparsegnn.compiler.sizes import Sizes
from sparsegnn.compiler.stored import Stored
from sparsegnn.compiler.units import Unit, form_units
from sparsegnn.compiler.variants import best_plan
from sparsegnn.graph import Graph

# Largest difference from the masked model, relative to its largest output.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}
# The same for 16-bit storage, whose rounding of 2^-9 adds up along the layers.
BF16_TOLERANCE = 0.1

# Sparse features are considered up to this density, dense ones from the second on.
SPARSE_UP_TO = 0.5
DENSE_FROM = 0.0625

Precision = Literal["full", "bf16"]


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
        given: The model with the layers that it came with; None where none was converted.
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
    given: nn.Module | None = None

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of features and model."""
        return self.x.dtype

    @property
    def nodes_returned(self) -> int:
        """Rows of the result."""
        return self.whole.num_nodes if self.nodes is None else len(self.nodes)

    def dense(self) -> DenseProgram:
        """The model on the pruned graph."""
        return self._bound(self.model, self.pruned, self.arguments)

    def dense_on_whole(self) -> DenseProgram:
        """The model on the whole graph."""
        return self._bound(self.model, self.whole, self.whole_arguments)

    def as_given(self) -> DenseProgram | None:
        """The model as it was given, on the pruned graph."""
        if self.given is None:
            return None
        return self._bound(self.given, self.pruned, self.arguments, as_given=True)

    def _bound(
        self, model: nn.Module, graph: Graph, arguments: dict[str, Any], *, as_given: bool = False
    ) -> DenseProgram:
        options = {"fixed": self.fixed_features, "as_given": as_given}
        return DenseProgram(model, graph, self.x, arguments, self.nodes, **options)


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


def compile_problem(
    problem: Problem, *, tune: bool, precision: Precision = "full"
) -> CompiledModel:
    """The fastest program; the dense model when that is faster, or not understood."""
    masked = problem.dense()
    try:
        captured = _captured(problem)
        make = partial(_plan, problem, captured, tune=tune)
        plan, variants = best_plan(problem, captured, make, tune=tune)
    except Unsupported as reason:
        report = undescribed(problem, f"the model cannot be compiled: {reason}")
        return ship_model(problem, masked, report, tune=tune)
    check = _compared(plan.program, masked)
    report = replace(describe(problem, plan, check.error), variants=variants)
    if not check.error <= TOLERANCE[problem.dtype]:
        report = replace(report, plan="dense", reason=f"the plan differs by {check.error:.1e}")
        return ship_model(problem, masked, report, tune=tune)
    compiled = CompiledModel(plan.program, problem.x, replace(report, agreement=check.agreement))
    rounded = None
    if precision == "bf16":
        make = partial(make, storage=torch.bfloat16)
        plan, variants = best_plan(problem, captured, make, tune=tune)
        rounded, compiled = _rounded(problem, masked, compiled, plan)
    if not tune:
        return compiled if rounded is None else rounded
    return ship(problem, masked, compiled, rounded)


def _rounded(
    problem: Problem, masked: DenseProgram, compiled: CompiledModel, plan: Plan
) -> tuple[CompiledModel | None, CompiledModel]:
    """The program with bf16 storage, and the other one, which may say why there is none."""
    check = _compared(plan.program, masked)
    if not check.error <= BF16_TOLERANCE:
        reason = f"{compiled.report().reason}; bf16 storage would differ by {check.error:.1e}"
        return None, CompiledModel(
            compiled.program, problem.x, replace(compiled.report(), reason=reason)
        )
    report = describe(problem, plan, check.error)
    report = replace(report, precision="bf16", agreement=check.agreement)
    return CompiledModel(plan.program, problem.x, report), compiled


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
    storage: torch.dtype | None = None,
) -> Plan:
    """Plans a captured model.

    Args:
        problem: What to compile.
        captured: The network of the model.
        tune: Measure the candidates.
        stored: Values to start from in place of the features.
        order: int64 [N], the nodes in the order of the rows inside; None for their own.
        whole: Compute all nodes, also those that the result does not depend on.
        storage: Dtype of weights and features between steps where it is not that of the model.
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
        own = problem.dtype, part.features
        return FeatureInput(kept, readable, shape, sparse, *own, fixed, storage)

    as_sparse = make_input(True).read(x)
    forms = _forms(units, part.network, as_sparse, lambda: make_input(False).read(x))
    sizes = Sizes(nodes, forms.sparse, part.rows, storage)
    result = part.network.output
    choices = Planner(forms, sizes, tune=tune, result=result).plan(units)
    dtype = None if storage is None else problem.dtype
    program = assemble(choices, result, forms, make_input, dtype)
    return Plan(captured, network, live, part, choices, program)


def _is_sparse(x: Features, columns: int) -> bool:
    """Whether sparse features may be worth it, from their number of columns that are kept."""
    return count_used(x) <= SPARSE_UP_TO * x.shape[0] * columns


def _forms(units: list[Unit], network: Network, sparse: Any, make_dense: Any) -> Forms:
    readers = [unit for unit in units if INPUT in unit.reads]
    density = sparse.nnz / max(1, sparse.shape[0] * sparse.shape[1])
    as_sparse = density <= SPARSE_UP_TO and any(takes_sparse(unit) for unit in readers)
    needs_dense = network.output == INPUT or not all(takes_sparse(unit) for unit in readers)
    as_dense = needs_dense or not as_sparse or density >= DENSE_FROM
    return Forms(sparse if as_sparse else None, make_dense() if as_dense else None)


class _Comparison(NamedTuple):
    """Largest difference over the largest number, and the share of rows with the same largest."""

    error: float
    agreement: float


def _compared(program: Program, masked: DenseProgram) -> _Comparison:
    """How the results of a program compare with the model's."""
    with torch.inference_mode():
        expected, actual = masked(), program()
    if expected.numel() == 0:
        return _Comparison(0.0, 1.0)
    agreement = float((expected.argmax(1) == actual.argmax(1)).double().mean())
    scale, worst = float(expected.abs().max()), float((actual - expected).abs().max())
    return _Comparison(worst / scale if scale > 0 else worst, agreement)
