"""`sparsegnn bench model`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sparsegnn.cli.__main__ import main
from sparsegnn.cli.bench_model import sparsity_pairs
from sparsegnn.profiling import machine

FAST = ["--seconds", "0.01", "--no-torch-compile", "--threads", "1"]


@pytest.fixture(autouse=True)
def small_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_COPIED_BYTES", 1 << 16)
    monkeypatch.setattr(machine, "_SIDE", {"cpu": 16})
    monkeypatch.setenv("COLUMNS", "200")


def test_a_sweep_prints_tables_and_writes_files(
    planted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["gcn", "--dataset", str(planted), "--hidden", "16", "--out", str(tmp_path)]
    arguments += ["--graph-sparsity", "0,40", "--weight-sparsity", "0,90"]
    assert main(["bench", "model", *arguments, *FAST]) == 0
    shown = capsys.readouterr().out
    for text in (
        "GCN 2 x 16 on planted: 90 nodes", "Plans of every layer", "● ", "· ", "convs.0",
        "dense model", "PyG eager", "PyG + torch.compile", "not asked for", "40 / 90",
        "Realisation", "Break-even of every layer", "profile.json, profile.png",
    ):  # fmt: skip
        assert text in shown
    assert sorted(path.name for path in tmp_path.iterdir()) == ["profile.json", "profile.png"]
    record = json.loads((tmp_path / "profile.json").read_text())
    assert (record["schema"], record["version"]) == ("sparsegnn-profile", 1)
    assert [cell["weight_sparsity"] for cell in record["cells"]] == [0.0, 0.9]


def test_json_is_all_that_is_printed(planted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["SAGE", "--dataset", str(planted), "--hidden", "8", "--weight-sparsity", "50"]
    assert main(["bench", "model", *arguments, *FAST, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["title"] == "GraphSAGE 2 x 8"
    assert len(record["cells"]) == 1


def test_a_ticket(
    planted: Path, settings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = tmp_path / "run"
    common = ["--config", str(settings), "--rounds", "1", "--no-measure", "--random", "none"]
    assert main(["prune", *common, "--out", str(found)]) == 0
    (ticket,) = found.glob("*.ticket")
    capsys.readouterr()
    arguments = ["--ticket", str(ticket), "--dataset", str(planted)]
    assert main(["bench", "model", *arguments, *FAST, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["title"] == "GCN 2 x 8, ugs ticket of round 1"
    assert record["cells"][0]["weight_sparsity"] == pytest.approx(0.2, abs=0.01)
    assert record["cells"][0]["graph_sparsity"] == pytest.approx(0.05, abs=0.01)
    assert main(["bench", "model", *arguments, *FAST, "--layers", "3"]) == 2
    assert "error: ticket and layers exclude each other" in capsys.readouterr().err


def test_pairs_of_sparsities() -> None:
    assert sparsity_pairs("20", "0,50") == [(0.2, 0.0), (0.2, 0.5)]
    assert sparsity_pairs(None, "90") == [(0.0, 0.9)]
    assert len(sparsity_pairs(None, None)) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["GCNII"], "model must be one of GCN, GIN"),
        (["--dataset", "nora"], "unknown dataset 'nora'"),
        (["--weight-sparsity", "0,100"], "weight-sparsity must be percentages from 0"),
        (["--weight-sparsity", "many"], "got 'many'"),
        (["--graph-sparsity", "1,2", "--weight-sparsity", "1,2,3"], "got 2 and 3"),
        (["--hidden", "0"], "hidden must be at least 1, got 0"),
        (["GAT", "--hidden", "12"], "heads must divide hidden, got 8 and 12"),
        (["--seconds", "0"], "seconds must be positive, got 0"),
        (["--threads", "0"], "threads must be at least 1, got 0"),
        (["--ticket", "none.ticket"], "none.ticket: No such file"),
        (["--ticket", "none.ticket", "--hidden", "4"], "ticket and hidden exclude each other"),
        (["--speed", "3"], "--speed"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: list[str], message: str, planted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = arguments if "--dataset" in arguments else [*arguments, "--dataset", str(planted)]
    assert main(["bench", "model", *given]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: ")
    assert message in lines[0]


def test_out_must_be_a_folder(
    planted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    assert main(["bench", "model", "--dataset", str(planted), "--out", str(file)]) == 2
    assert "out must be a folder, got the file" in capsys.readouterr().err
    assert file.read_text() == "mine"
