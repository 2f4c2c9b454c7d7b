"""`compile_ticket`: from a ticket, a model and data to the fastest program that is exact."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torch import Tensor

from sparsegnn.compiler.compiled import CompiledModel
from sparsegnn.compiler.features import Features, check_features
from sparsegnn.compiler.nodes import as_indices
from sparsegnn.compiler.pipeline import Problem, compile_problem
from sparsegnn.compiler.reorder import check_method
from sparsegnn.graph import Graph
from sparsegnn.nn import GCN
from sparsegnn.tickets.network import read_model

if TYPE_CHECKING:
    from sparsegnn.data import NodeDataset
    from sparsegnn.sparse_matrix import SparseMatrix
    from sparsegnn.tickets.ticket import Ticket


def compile_ticket(
    ticket: Ticket,
    model: GCN,
    data: NodeDataset | tuple[Tensor | SparseMatrix, Graph],
    *,
    tune: bool = True,
    nodes: Tensor | None = None,
    reorder: str | None = None,
    fixed_features: bool = False,
) -> CompiledModel:
    """Builds the program; see `Ticket.compile`."""
    check_method(reorder)
    problem = read_problem(ticket, model, data)
    requested = as_indices(nodes, problem.whole)
    asked = replace(problem, nodes=requested, reorder=reorder, fixed_features=fixed_features)
    return compile_problem(asked, tune=tune)


def read_problem(
    ticket: Ticket, model: GCN, data: NodeDataset | tuple[Tensor | SparseMatrix, Graph]
) -> Problem:
    """Checks that ticket, model and data fit, and puts the ticket's weights into the model."""
    x, whole = data if isinstance(data, tuple) else (data.x, data.graph)
    ticket.verify(whole)
    plain = read_model(ticket, model)
    first = next(plain.parameters())
    check_features(x, (whole.num_nodes, plain.convs[0].in_channels), first.dtype)  # type: ignore[arg-type]
    _check_device(first, x, whole)
    return Problem(plain, x, whole, ticket.prune(whole))


def _check_device(weight: Tensor, x: Features, graph: Graph) -> None:
    if not weight.device == x.device == graph.device:
        raise ValueError(
            f"model, x and graph must be on one device, got {weight.device}, {x.device} and "
            f"{graph.device}"
        )
