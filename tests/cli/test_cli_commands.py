from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sparsegnn.cli.__main__ import main
from sparsegnn.cli.app import app
from sparsegnn.tickets import Ticket


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, settings: Path) -> Path:
    out = tmp_path_factory.mktemp("run") / "planted"
    assert main(["prune", "--config", str(settings), "--out", str(out)]) == 0
    return out


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Runs a command that must fail as bad input, and returns its one sentence."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("error: ")
    return lines[0]


def test_every_command_has_help() -> None:
    runner = CliRunner()
    assert runner.invoke(app, ["--help"]).exit_code == 0
    for command in ("prune", "bench", "bench model", "inspect", "doctor", "datasets"):
        result = runner.invoke(app, [*command.split(), "--help"])
        assert result.exit_code == 0
        assert "Usage" in result.output


def test_doctor() -> None:
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0
    for word in ("torch", "threads", "sparsegnn kernels", "CUDA kernels", "data: cache"):
        assert word in result.output


def test_datasets() -> None:
    result = CliRunner().invoke(app, ["datasets"])
    assert result.exit_code == 0
    for name in ("cora", "citeseer", "pubmed", "uk-2007-05-100000"):
        assert name in result.output


def test_prune_writes_everything(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["schema"], metrics["version"]) == ("sparsegnn-metrics", 1)
    assert metrics["state"] == "finished"
    assert [each["round"] for each in metrics["summary"]] == [0, 1, 2, 3]
    assert [row["kind"] for row in metrics["programs"]] == ["pyg", "composite", "dense", "ticket"]
    assert (run / "results.png").read_bytes().startswith(b"\x89PNG")
    round = metrics["headline"]["round"]
    ticket = Ticket.load(run / f"ticket-0-r{round}.ticket")
    assert metrics["headline"]["files"] == {f"ticket-0-r{round}.ticket": ticket.sha256()}
    assert metrics["seeds"][0]["tickets"][round] == ticket.sha256()


def test_counts_are_exact_and_agree_on_every_base(run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    bases, round = metrics["headline"]["sparsity"], metrics["headline"]["round"]
    assert bases["edges"]["total"] == metrics["dataset"]["edges"]
    assert bases["edges"]["kept"] == 2 * bases["pairs"]["kept"]
    assert bases["pairs_cut_one_way"] == 0
    loops = bases["edges_with_loops"]
    assert loops["kept"] - bases["edges"]["kept"] == metrics["dataset"]["nodes"]
    weights = bases["masked_weights"]
    assert weights["total"] == 24 * 8 + 8 * 3
    assert weights["sparsity"] == pytest.approx(1 - 0.8**round, abs=1 / weights["total"])


def test_random_tickets_have_the_sparsity_of_their_round(run: Path) -> None:
    seed = json.loads((run / "metrics.json").read_text())["seeds"][0]
    assert [each["round"] for each in seed["random"]] == [1, 2, 3]
    for drawn, found in zip(seed["random"], seed["rounds"][1:], strict=True):
        assert drawn["graph_sparsity"] == found["graph_sparsity"]
        assert drawn["weight_sparsity"] == pytest.approx(found["weight_sparsity"], abs=0.01)


def test_a_folder_with_a_run_is_not_overwritten(
    run: Path, settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (run / "metrics.json").read_bytes()
    text = error_of(capsys, "prune", "--config", str(settings), "--out", str(run))
    assert "already holds a run: add --resume" in text
    assert (run / "metrics.json").read_bytes() == before


def test_overwrite_replaces_the_run_and_nothing_else(tmp_path: Path, settings: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    common = ["prune", "--config", str(settings), "--out", str(tmp_path), "--no-measure"]
    assert main([*common, "--rounds", "2"]) == 0
    assert main([*common, "--rounds", "1", "--seed", "5", "--overwrite"]) == 0
    tickets = sorted(path.name for path in tmp_path.glob("*.ticket"))
    assert tickets == ["ticket-5-r1.ticket"]
    checkpoints = {path.name.split("-")[1] for path in tmp_path.glob("checkpoints/*")}
    assert {name.removesuffix(".json") for name in checkpoints} == {"seed5"}
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_resume_of_a_finished_run_gives_the_same_tickets(run: Path) -> None:
    before = json.loads((run / "metrics.json").read_text())
    assert main(["prune", "--resume", "--out", str(run), "--no-measure"]) == 0
    after = json.loads((run / "metrics.json").read_text())
    assert after["seeds"] == before["seeds"]
    assert after["headline"] == before["headline"]
    assert after["programs"] == []


def test_resume_refuses_other_settings(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = error_of(capsys, "prune", "--resume", "--out", str(run), "--pairs", "directed")
    assert "the run has pairs 'undirected', got 'directed'" in text
    text = error_of(capsys, "prune", "--resume", "--out", str(run), "--hidden", "9")
    assert "the run has hidden 8, got 9" in text


def test_resume_needs_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "holds no run to resume" in error_of(capsys, "prune", "--resume", "--out", str(tmp_path))
    (tmp_path / "config.json").write_text("[]")
    assert "must hold a JSON object" in error_of(
        capsys, "prune", "--resume", "--out", str(tmp_path)
    )


def test_inspect(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = next(run.glob("ticket-*.ticket"))
    ticket = Ticket.load(path)
    assert main(["inspect", str(path), "--hash"]) == 0
    assert capsys.readouterr().out.strip() == ticket.sha256()
    assert main(["inspect", str(path)]) == 0
    shown = capsys.readouterr().out
    assert f"{ticket.edge_mask.count:,} of {ticket.edge_mask.numel:,} kept" in shown
    for key in ticket.state:
        assert key in shown


@pytest.mark.parametrize("damage", ["truncated", "foreign", "missing", "folder"])
def test_inspect_refuses_damage(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    path, whole = tmp_path / "bad.ticket", next(run.glob("ticket-*.ticket")).read_bytes()
    if damage == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "foreign":
        path.write_bytes(b"PK\x03\x04 not a ticket")
    elif damage == "folder":
        path.mkdir()
    assert "bad.ticket" in error_of(capsys, "inspect", str(path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prune", "--dataset", "nora"], "unknown dataset 'nora'"),
        (["prune", "--dataset", "none.npz"], "none.npz: no such file"),
        (["prune", "--rounds", "0"], "rounds: "),
        (["prune", "--rounds", "many"], "--rounds"),
        (["prune", "--method", "rigl"], "method: "),
        (["prune", "--pairs", "both"], "pairs: "),
        (["prune", "--reference", "--pairs", "undirected"], "pairs must be 'directed'"),
        (["prune", "--seeds", "0"], "seeds: "),
        (["prune", "--config", "none.toml"], "none.toml: No such file"),
        (["prune", "--speed", "3"], "--speed"),
        (["prune", "--resume", "--overwrite"], "exclude each other"),
        (["prune", "cora"], "cora"),
        (["inspect"], "ticket"),
        (["fly"], "fly"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message.lower() in error_of(capsys, *arguments).lower()
    assert list(tmp_path.iterdir()) == []


def test_time_limit_stops_between_rounds(tmp_path: Path, settings: Path) -> None:
    arguments = ["--config", str(settings), "--out", str(tmp_path), "--no-measure"]
    assert main(["prune", *arguments, "--minutes", "0.000001", "--random", "headline"]) == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert [each["round"] for each in metrics["summary"]] == [0, 1]
    assert metrics["summary"][1]["random_test"]["n"] == 1


def test_defect_is_one_line_and_another_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fail(path: Path) -> Ticket:
        raise RuntimeError("broken inside")

    monkeypatch.setattr(Ticket, "load", fail)
    assert main(["inspect", str(tmp_path / "any")]) == 1
    assert capsys.readouterr().err.startswith("error: internal error, RuntimeError: broken inside")


def test_program_exits_with_the_status() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sparsegnn.cli", "inspect", "no-such.ticket"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "error: no-such.ticket: No such file or directory\n"
