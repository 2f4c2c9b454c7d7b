"""Counts of operations against the published figures and against hand-worked programs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import pairwise

import pytest
import torch
from small_ticket import make

from sparsegnn import Graph
from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.graph_ops import Aggregate
from sparsegnn.compiler.macs import Setting, count_macs, papers_macs, undirected_links
from sparsegnn.compiler.network import Network
from sparsegnn.compiler.row_ops import Linear

CORA = [1433, 512, 7]
CORA_LINKS = 5429


@pytest.mark.parametrize(("round_", "millions"), [(0, 2007), (4, 826), (9, 275)])
def test_papers_convention_gives_the_published_figures(round_: int, millions: int) -> None:
    macs = papers_macs(
        2708, CORA_LINKS, CORA, edge_density=0.95**round_, weight_density=0.8**round_
    )
    assert round(macs / 1e6) == millions


def test_stored_pairs_move_the_papers_count_by_less_than_a_third_of_a_million() -> None:
    assert 0 < papers_macs(2708, 5429, CORA) - papers_macs(2708, 5278, CORA) < 0.3e6


def cora_network(*, aggregate_first: bool = False, apart: bool = False) -> tuple[Network, Setting]:
    matrix = CsrMatrix(
        torch.zeros(2709, dtype=torch.int32), torch.zeros(13264, dtype=torch.int32),
        torch.zeros(13264), 2708,
    )  # fmt: skip
    network = Network(1433)
    for layer, (inputs, outputs) in enumerate(pairwise(CORA)):
        where = str(layer)
        weight = torch.zeros(outputs, inputs)
        linear = partial(Linear, where=where + " apart" * apart, weight=weight)
        aggregate = partial(Aggregate, where=where, matrix=matrix)
        for operation in (aggregate, linear) if aggregate_first else (linear, aggregate):
            network.output = network.add(operation((network.output,)))
    return network, Setting(2708, CORA_LINKS, 49216)


def test_unpruned_cora() -> None:
    macs = count_macs(*cora_network())
    assert macs.executed == 49216 * 512 + 2708 * 512 * 7 + 13264 * 519
    assert round(macs.executed / 1e6, 1) == 41.8
    assert macs.executed_dense_features == 2708 * (1433 + 7) * 512 + 13264 * 519
    assert macs.papers == papers_macs(2708, CORA_LINKS, CORA)


@pytest.mark.parametrize("apart", [False, True])
def test_a_layer_projects_before_it_sums_where_that_narrows(apart: bool) -> None:
    """Unless the two belong to different layers."""
    network, setting = cora_network(aggregate_first=True, apart=apart)
    macs = count_macs(network, setting)
    width = 1433 + 512 if apart else 512 + 7
    assert macs.executed_dense_features == 2708 * (1433 + 7) * 512 + 13264 * width
    products = 2708 * 1433 if apart else 49216
    assert macs.executed == (products + 2708 * 7) * 512 + 13264 * width
    assert macs.papers == papers_macs(2708, CORA_LINKS, CORA)


@pytest.mark.parametrize(("round_", "millions"), [(0, 2007), (4, 826), (9, 275)])
def test_a_network_counts_as_the_published_formula(round_: int, millions: int) -> None:
    network, setting = cora_network()
    densities = {"edge_density": 0.95**round_, "weight_density": 0.8**round_}
    assert round(count_macs(network, replace(setting, **densities)).papers / 1e6) == millions


def test_links_are_pairs_without_loops() -> None:
    edges = torch.tensor([[0, 1, 1, 2, 2], [1, 0, 2, 2, 0]])
    assert undirected_links(Graph.from_edge_index(edges, num_nodes=3)) == 3


def test_report_counts_what_is_executed(planned_by_macs: None) -> None:
    setup = make(weight_sparsity=0.0, edge_sparsity=0.5, feature_density=0.02, hidden=9)
    report = setup.ticket.compile(setup.model, (setup.x, setup.graph), tune=False).report()
    assert report.layers[0].live_units[1] == 9
    entries = setup.ticket.prune(setup.graph).with_self_loops().num_edges
    used = int((setup.x.to_dense() != 0).any(0).sum())
    assert report.layers[0].live_units[0] == used
    macs, dense = report.counted()
    assert macs.executed == (setup.x.nnz + entries) * 9 + 20 * 9 * 3 + entries * 3
    assert macs.executed_dense_features == 20 * 9 * (used + 3) + entries * 12
    whole = setup.graph.with_self_loops().num_edges
    assert dense.executed == (setup.x.nnz + whole) * 9 + 20 * 9 * 3 + whole * 3
    assert macs.papers < dense.papers
