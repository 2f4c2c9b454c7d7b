"""Counts of operations against the published figures and against hand-worked programs."""

from __future__ import annotations

import pytest
import torch
from small_ticket import make

from sparsegnn import Graph
from sparsegnn.tickets import LayerSize, executed_macs, papers_macs
from sparsegnn.tickets.reporting import dense_macs, undirected_links

CORA = [1433, 512, 7]
CORA_LINKS = 5429
DENSE_CORA = [LayerSize(1433, 512, 1433 * 512), LayerSize(512, 7, 512 * 7)]


@pytest.mark.parametrize(("round_", "millions"), [(0, 2007), (4, 826), (9, 275)])
def test_papers_convention_gives_the_published_figures(round_: int, millions: int) -> None:
    macs = papers_macs(
        2708, CORA_LINKS, CORA, edge_density=0.95**round_, weight_density=0.8**round_
    )
    assert round(macs / 1e6) == millions


def test_stored_pairs_move_the_papers_count_by_less_than_a_third_of_a_million() -> None:
    assert 0 < papers_macs(2708, 5429, CORA) - papers_macs(2708, 5278, CORA) < 0.3e6


def test_unpruned_cora_with_sparse_features() -> None:
    macs = executed_macs(2708, 13264, DENSE_CORA, feature_nonzeros=49216)
    assert macs == 49216 * 512 + 2708 * 512 * 7 + 13264 * 519
    assert round(macs / 1e6, 1) == 41.8


def test_unpruned_cora_with_dense_features() -> None:
    assert executed_macs(2708, 13264, DENSE_CORA) == 2708 * (1433 + 7) * 512 + 13264 * 519


def test_order_decides_the_width_of_the_aggregation() -> None:
    first = [LayerSize(100, 10, 1000, "aggregate_first")]
    assert executed_macs(50, 200, first) == 50 * 1000 + 200 * 100
    assert executed_macs(50, 200, [LayerSize(100, 10, 300)]) == 50 * 300 + 200 * 10


def test_links_are_pairs_without_loops() -> None:
    edges = torch.tensor([[0, 1, 1, 2, 2], [1, 0, 2, 2, 0]])
    assert undirected_links(Graph.from_edge_index(edges, num_nodes=3)) == 3


def test_report_counts_what_is_executed() -> None:
    setup = make(weight_sparsity=0.0, edge_sparsity=0.5, feature_density=0.02, hidden=9)
    report = setup.ticket.compile(setup.model, (setup.x, setup.graph), tune=False).report()
    assert report.layers[0].live_units[1] == 9
    entries = setup.ticket.prune(setup.graph).with_self_loops().num_edges
    used = int((setup.x.to_dense() != 0).any(0).sum())
    assert report.layers[0].live_units[0] == used
    assert report.macs.executed == (setup.x.nnz + entries) * 9 + 20 * 9 * 3 + entries * 3
    assert report.macs.executed_dense_features == 20 * 9 * (used + 3) + entries * 12
    whole = setup.graph.with_self_loops().num_edges
    assert report.macs_dense == dense_macs([12, 9, 3], setup.x, setup.graph)
    assert report.macs_dense.executed == (setup.x.nnz + whole) * 9 + 20 * 9 * 3 + whole * 3
    assert report.macs.papers < report.macs_dense.papers
