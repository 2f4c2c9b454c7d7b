from pathlib import Path

import numpy as np
import pytest

from bench import grid
from bench.cases import agreement
from bench.graphs import GRAPHS, GraphInput
from bench.peers import optional
from bench.suites import jobs

SMALL = GraphInput("", 40, 200)


@pytest.fixture
def small_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid, "GRAPHS", (SMALL,))
    monkeypatch.setattr(grid, "QUICK_GRAPHS", (SMALL,))


def test_every_family_runs_on_every_graph_and_width() -> None:
    names = list(grid.cases("default"))
    assert len(set(names)) == len(names)
    for graph in GRAPHS:
        for width in (16, 64, 128, 256):
            assert f"spmm/{graph.name}/width={width}" in names
            assert f"spmm-train/{graph.name}/width={width}" in names


@pytest.mark.usefixtures("small_grid")
def test_cases_of_the_grid_agree_and_carry_its_names() -> None:
    for name, build in grid.cases("quick").items():
        case = build()
        assert case.name == name
        assert set(agreement(case)) == set(case.alternatives)


def test_every_job_has_a_name_of_its_own() -> None:
    assert len(jobs("full")) > len(jobs("default")) > len(jobs("quick")) > 10


def test_modules_of_operators_are_found() -> None:
    names = set(jobs("default"))
    assert "topk-mask/n=10000000" in names and "sparse-linear/20000x512x512/zeros=0.90" in names
    assert len({name.split("/")[0] for name in names}) >= 8


def test_a_missing_file_is_replaced_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARSEGNN_DATA", str(tmp_path))
    graph = GraphInput("real", 30, 100)
    assert graph.name == "real-stand-in" == graph.load().name
    assert graph.load().weight.numel() == 100
    edges = np.stack([np.arange(100) % 30, np.arange(100)[::-1] % 30]).astype(np.int32)
    np.savez(tmp_path / "real.npz", edge_index=edges, num_nodes=30)
    assert graph.name == "real" == graph.load().name
    with pytest.raises(ValueError, match=r"real.npz must hold 30 nodes and 99 arcs, got 30 and 1"):
        GraphInput("real", 30, 99).load()


def test_optional_peers_are_left_out_with_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optional, "PACKAGES", ("no_such_package",))
    (sentence,) = optional.enable()
    assert sentence.startswith("no_such_package is left out: it cannot be imported")


def test_big_training_cells_leave_pyg_out_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grid.spmm, "PYG_TRAINING_LIMIT", 1000)
    edges = SMALL.load()
    assert grid.spmm.PYG in grid._training(False, edges, 4).alternatives
    assert grid.spmm.PYG not in grid._training(False, edges, 16).alternatives
    assert grid.spmm.PYG in grid._training(True, edges, 16).alternatives
