"""`compile_ticket`: from a ticket, a model and data to the fastest program that is exact."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from sparsegnn.graph import Graph
from sparsegnn.nn import GCN
from sparsegnn.tickets.candidates import Layer
from sparsegnn.tickets.compiled import CompiledModel
from sparsegnn.tickets.dead_units import LiveUnits, live_units
from sparsegnn.tickets.features import FeatureInput, Features, check_features, used_columns
from sparsegnn.tickets.network import Network, read_network
from sparsegnn.tickets.planner import DENSE_FROM, SPARSE_UP_TO, Choice, plan_layers
from sparsegnn.tickets.program import DenseProgram, Program
from sparsegnn.tickets.report import Report
from sparsegnn.tickets.reporting import describe
from sparsegnn.tickets.steps import CsrMatrix, Step
from sparsegnn.tickets.timing import comparable

if TYPE_CHECKING:
    from sparsegnn.data import NodeDataset
    from sparsegnn.sparse_matrix import SparseMatrix
    from sparsegnn.tickets.ticket import Ticket

# Largest difference from the masked model, relative to its largest logit.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}

# Hidden widths above this many units are rounded up to a multiple of it.
PADDED_TO = 16

_ROUNDS = 21
_BUDGET_S = 1.0


@dataclass(frozen=True)
class Problem:
    """Everything that is checked once and then given.

    Attributes:
        ticket: The ticket.
        network: The masked network.
        x: Features [N, F].
        whole: The whole graph.
        pruned: The graph without the pruned edges.
        live: Units that can influence the output.
        adjacency: Normalised adjacency of the pruned graph, self loops included.
    """

    ticket: Ticket
    network: Network
    x: Features
    whole: Graph
    pruned: Graph
    live: LiveUnits
    adjacency: CsrMatrix


def compile_ticket(
    ticket: Ticket,
    model: GCN,
    data: NodeDataset | tuple[Tensor | SparseMatrix, Graph],
    *,
    tune: bool = True,
) -> CompiledModel:
    """Builds the program; see `Ticket.compile`."""
    problem = _read(ticket, model, data)
    program, choices = _build(problem, tune)
    masked = DenseProgram(problem.network.model, problem.pruned, problem.x)
    error = _relative_error(program, masked)
    report = describe(problem, program, choices, error)
    if not error <= TOLERANCE[problem.network.dtype]:
        return _fall_back(problem, masked, report, f"the plan differs by {error:.1e}")
    if not tune:
        return CompiledModel(program, problem.x, report)
    report = _with_times(problem, program, masked, report)
    assert report.compiled_ms is not None and report.masked_ms is not None
    assert report.dense_ms is not None
    limit = min(report.masked_ms.median_ms, report.dense_ms.median_ms)
    if report.compiled_ms.median_ms > limit:
        reason = (
            f"the plan takes {report.compiled_ms.median_ms:.3f} ms, the dense model {limit:.3f} ms"
        )
        return _fall_back(problem, masked, report, reason)
    return CompiledModel(program, problem.x, report)


def _read(
    ticket: Ticket, model: GCN, data: NodeDataset | tuple[Tensor | SparseMatrix, Graph]
) -> Problem:
    x, whole = data if isinstance(data, tuple) else (data.x, data.graph)
    ticket.verify(whole)
    network = read_network(ticket, model)
    check_features(x, whole.num_nodes, network.widths[0], network.dtype)
    _check_device(network, x, whole)
    pruned = ticket.prune(whole)
    first = network.convs[0]
    looped, norm = first.norm(x, pruned, None)
    if norm is None:
        norm = torch.ones(looped.num_edges, dtype=network.dtype, device=looped.device)
    adjacency = CsrMatrix.from_graph(looped, norm)
    live = live_units(network.weights, network.biases, used_columns(x))
    return Problem(ticket, network, x, whole, pruned, live, adjacency)


def _check_device(network: Network, x: Features, graph: Graph) -> None:
    if not network.weights[0].device == x.device == graph.device:
        raise ValueError(
            f"model, x and graph must be on one device, got {network.weights[0].device}, "
            f"{x.device} and {graph.device}"
        )


def _build(problem: Problem, tune: bool) -> tuple[Program, list[Choice]]:
    layers = _compact_layers(problem)
    sparse_input, dense_input = (_feature_input(problem, sparse) for sparse in (True, False))
    forms: list[CsrMatrix | Tensor] = []
    matrix = sparse_input(problem.x)
    density = matrix.nnz / max(1, matrix.shape[0] * matrix.shape[1])
    if density <= SPARSE_UP_TO:
        forms.append(matrix)
    if density >= DENSE_FROM:
        forms.append(dense_input(problem.x))
    form, choices = plan_layers(layers, forms, tune=tune)
    inputs = sparse_input if isinstance(form, CsrMatrix) else dense_input
    steps: list[Step] = [step for choice in choices for step in choice.chosen.steps]
    return Program(inputs, form, steps), choices


def _compact_layers(problem: Problem) -> list[Layer]:
    """The live part of every layer, with hidden widths rounded up by units that stay 0."""
    network, live = problem.network, problem.live
    count = len(network.weights)
    layers = []
    for index in range(count):
        weight = live.compact(index, network.weights[index])
        bias = live.compact_bias(index, network.biases[index])
        rows = _padding(len(weight)) if index < count - 1 else 0
        columns = _padding(weight.shape[1]) if index > 0 else 0
        weight = functional.pad(weight, (0, columns, 0, rows))
        bias = None if bias is None else functional.pad(bias, (0, rows))
        layers.append(Layer(problem.adjacency, weight, bias, relu=index < count - 1))
    return layers


def _padding(units: int) -> int:
    """Zero units to add, so that rows of hidden features start on cache lines."""
    return -units % PADDED_TO if units > PADDED_TO else 0


def _feature_input(problem: Problem, sparse: bool) -> FeatureInput:
    network, kept = problem.network, problem.live.kept[0]
    readable = torch.zeros(network.widths[0], dtype=torch.bool, device=problem.x.device)
    readable[live_units(network.weights, network.biases).kept[0]] = True
    return FeatureInput(kept, readable, problem.whole.num_nodes, sparse, network.dtype)


def _relative_error(program: Program, masked: DenseProgram) -> float:
    """Largest difference of the two programs' logits over the largest logit."""
    with torch.inference_mode():
        expected = masked()
        difference = (program() - expected).abs()
    if difference.numel() == 0:
        return 0.0
    scale = float(expected.abs().max())
    worst = float(difference.max())
    return worst / scale if scale > 0 else worst


def _with_times(problem: Problem, program: Program, masked: DenseProgram, report: Report) -> Report:
    dense = DenseProgram(problem.network.model, problem.whole, problem.x)
    with torch.inference_mode():
        timings = comparable(
            {"compiled": program, "dense": dense, "masked": masked},
            rounds=_ROUNDS,
            budget_s=_BUDGET_S,
            device=problem.whole.device,
        )
    return replace(
        report,
        compiled_ms=timings["compiled"],
        dense_ms=timings["dense"],
        masked_ms=timings["masked"],
        reason="fastest of the measured plans, and no slower than the dense model",
    )


def _fall_back(
    problem: Problem, masked: DenseProgram, report: Report, reason: str
) -> CompiledModel:
    return CompiledModel(masked, problem.x, replace(report, plan="dense", reason=reason))
