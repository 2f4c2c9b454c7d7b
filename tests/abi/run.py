"""Loads the one built `_C.so` in other releases of torch, each in its own virtual environment.

Usage: `python tests/abi/run.py [VERSION ...]` (default: 2.11.0 and the newest pip offers). The
wheels that pip finds on Linux are CUDA builds: without a GPU this checks that the library loads
there, that the stream symbol resolves and that the CPU kernels give the right numbers.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "sparsegnn" / "_C.so"
SMOKE = Path(__file__).with_name("smoke.py")
DEFAULT = ("2.11.0", "newest")


def environment(version: str) -> Path:
    """Python of a virtual environment with that torch; made on first use."""
    folder = ROOT / "build" / f"abi-{version}"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    requirement = "torch" if version == "newest" else f"torch=={version}"
    command = [python, "-m", "pip", "install", "-q", "--upgrade", requirement, "numpy"]
    subprocess.run(command, check=True)
    return python


def main(versions: list[str]) -> int:
    """Runs the smoke test under every version; returns the number of failures."""
    failures = 0
    for version in versions or DEFAULT:
        python = environment(version)
        done = subprocess.run([python, SMOKE, LIBRARY], capture_output=True, text=True)
        print(done.stdout.strip() or done.stderr.strip(), flush=True)
        failures += done.returncode != 0
    return failures


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
