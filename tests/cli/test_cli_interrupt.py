from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from sparsegnn.cli.__main__ import main
from sparsegnn.cli.interrupt import interruptible
from sparsegnn.cli.progress import PlainReporter
from sparsegnn.pruning import EpochEvent

ROUNDS = 30
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, settings: Path) -> dict[str, object]:
    """Metrics of a run that nothing disturbed."""
    out = tmp_path_factory.mktemp("whole")
    assert main(["prune", *arguments(settings, out)]) == 0
    metrics: dict[str, object] = json.loads((out / "metrics.json").read_text())
    return metrics


def arguments(settings: Path, out: Path) -> list[str]:
    return ["--config", str(settings), "--out", str(out), "--rounds", str(ROUNDS), "--no-measure"]


def start_and_stop(settings: Path, out: Path, how: signal.Signals) -> subprocess.Popen[str]:
    """Starts a run and stops it once its third round is on disk."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sparsegnn.cli", "prune", *arguments(settings, out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 120
    while not list(out.glob("checkpoints/*round02*")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(how)
    return process


def without_clocks(seed: dict[str, list[dict[str, float]]]) -> list[dict[str, float]]:
    clocks = {"seconds", "cpu_seconds"}
    results = [*seed["rounds"], *seed["random"]]
    return [{k: v for k, v in each.items() if k not in clocks} for each in results]


def test_killed_run_resumes_to_the_same_tickets(
    tmp_path: Path, settings: Path, whole: dict[str, object]
) -> None:
    process = start_and_stop(settings, tmp_path, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob("checkpoints/*.ticket"))) < ROUNDS
    assert main(["prune", "--resume", "--out", str(tmp_path), "--no-measure"]) == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["seeds"][0]["tickets"] == whole["seeds"][0]["tickets"]
    assert without_clocks(metrics["seeds"][0]) == without_clocks(whole["seeds"][0])
    assert metrics["headline"] == whole["headline"]


def test_ctrl_c_says_how_to_go_on(tmp_path: Path, settings: Path, whole: dict[str, object]) -> None:
    process = start_and_stop(settings, tmp_path, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, ""), out
    assert f"sparsegnn prune --resume --out {tmp_path}" in out
    assert main(["prune", "--resume", "--out", str(tmp_path), "--no-measure"]) == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["seeds"][0]["tickets"] == whole["seeds"][0]["tickets"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_was_dropped_comes_again() -> None:
    class Careless:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    event = EpochEvent(1, "mask", 1, 10, 0.5, 0.5, 0.0, 0.0)
    before = signal.getsignal(signal.SIGINT)
    with interruptible(PlainReporter(Console(quiet=True), 10)) as reporter:
        Careless()
        with pytest.raises(KeyboardInterrupt):
            reporter.epoch(0, "masks", 1, event)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("pressed", [True, False])
def test_what_native_code_makes_of_ctrl_c_is_one(pressed: bool) -> None:
    expected = KeyboardInterrupt if pressed else ValueError
    with (
        pytest.raises(expected),
        interruptible(PlainReporter(Console(quiet=True), 10)),
    ):
        if pressed:
            with contextlib.suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        raise ValueError("an error of native code")
