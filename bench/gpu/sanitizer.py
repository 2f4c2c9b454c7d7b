"""Runs the subset program under every tool of compute-sanitizer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")
SUBSET = Path(__file__).with_name("sanitizer_subset.py")
ERRORS_FOUND = 99


def verdict(returncode: int, output: str) -> str:
    """What a finished run says: "clean", "errors", or why the tool could not do its work."""
    if returncode == ERRORS_FOUND:
        return "errors"
    if returncode == 0 and "ERROR SUMMARY: 0 errors" in output:
        return "clean"
    if returncode == 0 and "RACECHECK SUMMARY: 0 hazards" in output:
        return "clean"
    lines = [line for line in output.splitlines() if line.strip()]
    return "could not run: " + (lines[-1].strip() if lines else f"exit status {returncode}")


def run_tool(program: str, tool: str, timeout_s: float) -> dict[str, str]:
    """One tool over the subset; allocations are not pooled, so that their bounds are seen."""
    command = [program, "--tool", tool, "--error-exitcode", str(ERRORS_FOUND), sys.executable]
    environment = {**os.environ, "PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}
    try:
        done = subprocess.run(
            [*command, str(SUBSET)],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"tool": tool, "verdict": f"could not run: not done after {timeout_s:.0f} s"}
    output = done.stdout + done.stderr
    return {"tool": tool, "verdict": verdict(done.returncode, output), "output": output[-4000:]}


def run_all(timeout_s: float) -> list[dict[str, str]]:
    """Every tool, each with its share of the time left; empty without compute-sanitizer."""
    program = shutil.which("compute-sanitizer")
    if program is None:
        fallback = Path("/usr/local/cuda/bin/compute-sanitizer")
        if not fallback.exists():
            print("compute-sanitizer is not installed: skipped")
            return []
        program = str(fallback)
    results: list[dict[str, str]] = []
    deadline = time.monotonic() + timeout_s
    for tool in TOOLS:
        share = (deadline - time.monotonic()) / (len(TOOLS) - len(results))
        result = run_tool(program, tool, share)
        print(f"  {tool}: {result['verdict']}", flush=True)
        results.append(result)
    return results
