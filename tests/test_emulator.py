"""Builds csrc/tests (no CUDA toolkit needed) and runs each of its programs as one test."""

import fcntl
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "csrc" / "tests"
BUILD = ROOT / "build" / "host-tests"
PROGRAMS = re.findall(r"^sgnn_add_test\((\w+)\)", (SOURCE / "CMakeLists.txt").read_text(), re.M)


def run(*command: str) -> str:
    """Returns the output of a command that must succeed."""
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout[-8000:] + process.stderr[-8000:]
    return process.stdout


@pytest.fixture(scope="session")
def build() -> Path:
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / ".lock", "w") as lock:  # one build at a time when pytest runs in parallel
        fcntl.flock(lock, fcntl.LOCK_EX)
        run("cmake", "-S", str(SOURCE), "-B", str(BUILD), "-G", "Ninja")
        run("cmake", "--build", str(BUILD), "--parallel", str(os.cpu_count() or 2))
    return BUILD


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
def test_program(build: Path, program: str) -> None:
    summary = run(str(build / f"test_{program}")).splitlines()[-1]
    counts = re.fullmatch(r"(\d+) passed, 0 failed", summary)
    assert counts is not None, summary
    assert int(counts[1]) > 0


def test_every_test_source_is_a_program() -> None:
    sources = {path.stem.removeprefix("test_") for path in SOURCE.glob("test_*.cpp")}
    assert sources == set(PROGRAMS)
