"""Bad and unusual input to every public operator and constructor, run in a process of its own.

A case that kills the process is reported by name, and the sweep goes on with the next one.
"""

import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest
from sweep_worker import CASES

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]


def run_worker(names: list[str]) -> tuple[int, list[str]]:
    """Exit status and output lines of one process that runs the named cases."""
    paths = [str(ROOT), str(FOLDER), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-m", "sweep_worker"],
        input="\n".join(names),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        check=False,
    )
    return done.returncode, done.stdout.splitlines()


@lru_cache(maxsize=1)
def outcomes() -> dict[str, str]:
    """What became of every case: "ok", the promise it broke, or the exit status it crashed with."""
    found: dict[str, str] = {}
    waiting = list(CASES)
    while waiting:
        status, lines = run_worker(waiting)
        for line in lines:
            word, rest = line.split(" ", 1)
            name, _, reason = rest.partition(": ")
            found[name] = {"ok": "ok", "begin": f"crashed, exit status {status}"}.get(word, reason)
        done = [name for name in waiting if name in found]
        assert done, f"the worker did not start, exit status {status}"
        waiting = [name for name in waiting if name not in found]
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_sentence_or_the_documented_result(name: str) -> None:
    assert outcomes()[name] == "ok"


def test_the_sweep_is_complete() -> None:
    import sparsegnn as sg

    swept = {name.split("/")[0] for name in CASES}
    assert set(sg.ops.__all__) <= swept
    assert len(CASES) >= 300


def test_a_crash_names_its_case() -> None:
    """The worker says which case it began before it dies."""
    program = "import os, sweep_worker as w; w.CASES['x'] = lambda: os._exit(7); w.main()"
    paths = os.pathsep.join([str(ROOT), str(FOLDER)])
    done = subprocess.run(
        [sys.executable, "-c", program],
        input="x\n",
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
        check=False,
    )
    assert done.returncode == 7 and done.stdout.strip() == "begin x"
