"""The `make gpu` script on a machine without a GPU, and its parts that need none."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
MODULES = sorted(path.stem for path in (ROOT / "bench" / "gpu").glob("[a-z]*.py"))


@pytest.mark.parametrize("name", MODULES)
def test_module_imports(name: str) -> None:
    module = importlib.import_module(f"bench.gpu.{name}")
    assert module.__doc__


def test_without_a_gpu_it_says_so_and_succeeds() -> None:
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(ROOT / "bench" / "gpu" / "run.py")]
    done = subprocess.run(command, capture_output=True, text=True, env=hidden)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 1
    assert "CUDA" in lines[0] or "GPU" in lines[0]


def test_record_is_written_whole(tmp_path: Path) -> None:
    from bench.gpu.run import write_record

    path = write_record(tmp_path, {"device": "NVIDIA Test", "cases": []})
    assert path.name.startswith("gpu-nvidia-test-")
    assert [child.name for child in tmp_path.iterdir()] == [path.name]


def test_verdicts_of_the_sanitizer() -> None:
    from bench.gpu.sanitizer import ERRORS_FOUND, verdict

    assert verdict(0, "========= ERROR SUMMARY: 0 errors") == "clean"
    assert verdict(0, "========= RACECHECK SUMMARY: 0 hazards displayed") == "clean"
    assert verdict(ERRORS_FOUND, "========= ERROR SUMMARY: 3 errors") == "errors"
    assert verdict(1, "Device not supported\n") == "could not run: Device not supported"
    assert verdict(0, "") == "could not run: exit status 0"


def test_summary_has_median_and_quartiles() -> None:
    from bench.gpu.timing import summarize

    summary = summarize([3.0, 1.0, 2.0])
    assert (summary["median_s"], summary["q1_s"], summary["q3_s"]) == (2.0, 1.5, 2.5)


def test_wrong_results_are_not_timed() -> None:
    from bench.gpu.operators import checked

    expected = torch.ones(3, dtype=torch.float64)
    with pytest.raises(AssertionError, match="is off by"):
        checked({"peer": lambda: torch.zeros(3)}, expected, torch.float32)

    def missing() -> torch.Tensor:
        raise RuntimeError("not implemented for 'BFloat16'")

    assert checked({"peer": missing}, expected, torch.float32) == {}
