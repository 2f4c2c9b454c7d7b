"""Fills a `Report` from a compiled problem."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch

from sparsegnn.graph import Graph
from sparsegnn.tickets.features import Features
from sparsegnn.tickets.macs import LayerSize, MacCount, executed_macs, papers_macs
from sparsegnn.tickets.planner import Choice
from sparsegnn.tickets.program import Program
from sparsegnn.tickets.report import Bytes, LayerReport, Report
from sparsegnn.tickets.steps import CsrMatrix

if TYPE_CHECKING:
    from sparsegnn.tickets.compile import Problem


def describe(problem: Problem, program: Program, choices: list[Choice], error: float) -> Report:
    """The report before any whole program has been measured."""
    ticket = problem.ticket
    return Report(
        plan="compiled",
        reason="estimated to be the fastest plan, not measured",
        layers=tuple(_layer(problem, choice) for choice in choices),
        edges_kept=ticket.edge_mask.count,
        edges_total=ticket.edge_mask.numel,
        macs=_ticket_macs(problem, choices),
        macs_dense=dense_macs(problem.network.widths, problem.x, problem.whole),
        memory=Bytes(program.weight_bytes, program.graph_bytes),
        memory_dense=_dense_bytes(problem),
        compiled_ms=None,
        dense_ms=None,
        masked_ms=None,
        relative_error=error,
        threads=torch.get_num_threads(),
        device=str(problem.whole.device),
        torch_version=torch.__version__,
    )


def dense_macs(widths: list[int], x: Features, graph: Graph) -> MacCount:
    """Operations of an unpruned GCN that transforms first, on the whole graph.

    Args:
        widths: Features, hidden units, ..., classes.
        x: Features [N, F]; a dense tensor counts with all its entries.
        graph: The whole graph, to which self loops are added.
    """
    entries = graph.with_self_loops().num_edges
    layers = [LayerSize(a, b, a * b) for a, b in pairwise(widths)]
    nodes = graph.num_nodes
    nonzeros = None if isinstance(x, torch.Tensor) else x.nnz
    return MacCount(
        papers=papers_macs(nodes, undirected_links(graph), widths),
        executed_dense_features=executed_macs(nodes, entries, layers),
        executed=executed_macs(nodes, entries, layers, nonzeros),
    )


def undirected_links(graph: Graph) -> int:
    """Distinct pairs {i, j} with i != j."""
    source, target = graph.edge_index
    pair_id, num_pairs = graph.pairs()
    return num_pairs - int(pair_id[source == target].unique().numel())


def _ticket_macs(problem: Problem, choices: list[Choice]) -> MacCount:
    network, nodes = problem.network, problem.whole.num_nodes
    layers = [size for choice in choices for size in choice.chosen.sizes]
    total = sum(weight.numel() for weight in network.weights)
    kept = sum(int(weight.count_nonzero()) for weight in network.weights)
    mask = problem.ticket.edge_mask
    return MacCount(
        papers=papers_macs(
            nodes,
            undirected_links(problem.whole),
            network.widths,
            edge_density=mask.count / mask.numel if mask.numel else 1.0,
            weight_density=kept / total,
        ),
        executed_dense_features=executed_macs(nodes, problem.adjacency.nnz, layers),
        executed=sum(choice.chosen.macs for choice in choices),
    )


def _layer(problem: Problem, choice: Choice) -> LayerReport:
    first, last = choice.first_layer, choice.first_layer + len(choice.chosen.sizes)
    weights = problem.network.weights[first:last]
    return LayerReport(
        first_layer=first,
        units=tuple(problem.network.widths[first : last + 1]),
        live_units=tuple(len(kept) for kept in problem.live.kept[first : last + 1]),
        kept_weights=sum(int(weight.count_nonzero()) for weight in weights),
        chosen=choice.chosen.name,
        candidates=choice.considered,
    )


def _dense_bytes(problem: Problem) -> Bytes:
    weights = sum(p.numel() * p.element_size() for p in problem.network.model.parameters())
    graph, norm = problem.network.convs[0].norm(problem.x, problem.whole, None)
    values = torch.ones(graph.num_edges, dtype=problem.network.dtype) if norm is None else norm
    matrix = CsrMatrix.from_graph(graph, values)
    return Bytes(weights, sum(t.numel() * t.element_size() for t in matrix.buffers()))
