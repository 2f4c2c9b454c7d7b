"""`make gpu`: tests, compute-sanitizer and a short benchmark on this machine's NVIDIA GPU.

    python bench/gpu/run.py [--out DIR] [--only tests|sanitizer|bench ...]

Says so in one sentence and succeeds where there is no GPU. Takes the built package when it loads
and holds CUDA kernels, builds it in place otherwise. Writes one JSON record and stays under nine
minutes: steps have time limits, and no further benchmark starts after the last one's deadline.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bench.gpu.device import describe, missing_gpu  # noqa: E402

STEPS = ("tests", "sanitizer", "bench")
BUILD_LIMIT_S, TESTS_LIMIT_S = 200.0, 120.0
SANITIZER_LIMIT_S = 200.0
SANITIZER_END_S = 400.0  # after the start: leaves the benchmark its time when the build was slow
TOTAL_S = 500.0
PROBE = "import torch, sparsegnn; raise SystemExit(not torch.ops.sparsegnn.cuda_compiled())"


def run_python(*arguments: str, timeout_s: float, **environment: str) -> tuple[int, str]:
    """Runs Python in the repository; returns the exit status (124: out of time) and the output."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    merged = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **environment}
    try:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=merged,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        output = expired.stdout or b""
        return 124, output if isinstance(output, str) else output.decode(errors="replace")
    return done.returncode, done.stdout


def ensure_built(capability: str) -> None:
    """Builds the native modules in place unless they load and hold CUDA kernels."""
    if run_python("-c", PROBE, timeout_s=60)[0] == 0:
        return
    print(f"building the CUDA kernels for compute capability {capability}", flush=True)
    status, output = run_python(
        "setup.py",
        "build_ext",
        "--inplace",
        timeout_s=BUILD_LIMIT_S,
        SPARSEGNN_CUDA="on",
        CUDAARCHS=capability.replace(".", ""),
    )
    if status == 0:
        status, output = run_python("-c", PROBE, timeout_s=60)
    if status != 0:
        raise SystemExit(f"make gpu: sparsegnn could not be built with CUDA.\n{output[-4000:]}")


def run_tests() -> dict[str, object]:
    """tests/gpu, without the options and plugins that only the development setup has."""
    status, output = run_python(
        "-m",
        "pytest",
        "tests/gpu",
        "-q",
        "-o",
        "addopts=",
        "-p",
        "no:cacheprovider",
        timeout_s=TESTS_LIMIT_S,
    )
    print(output[-3000:], flush=True)
    return {"status": status, "output": output[-8000:]}


def run_bench(deadline: float) -> list[dict[str, object]]:
    """Every benchmark until the deadline; the import waits until a build is there."""
    from bench.gpu import bandwidth, operators

    families = (
        bandwidth.copy_cases,
        operators.spmm_cases,
        operators.selection_cases,
        operators.training_cases,
        operators.linear_cases,
        bandwidth.gather_cases,
    )
    cases: list[dict[str, object]] = []
    for family in families:
        for case in family():
            cases.append(case)
            print_case(case)
            if time.monotonic() > deadline:
                print("the time is over: the remaining benchmarks are left out")
                return cases
    return cases


def print_case(case: dict[str, object]) -> None:
    """One line per case: its parameters, then milliseconds by alternative."""
    timings = case["timings"]
    assert isinstance(timings, dict)
    shown = {k: v for k, v in case.items() if k != "timings"}
    times = ", ".join(f"{name} {t['median_s'] * 1e3:.4f} ms" for name, t in timings.items())
    print(f"  {shown}: {times}", flush=True)


def write_record(folder: Path, record: dict[str, object]) -> Path:
    """Writes the record under a name made of device and time: temporary file, fsync, rename."""
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    device = str(record.get("device", "gpu")).lower().replace(" ", "-")
    path = folder / f"gpu-{device}-{stamp}.json"
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(record, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the chosen steps; returns 1 when a test failed or a sanitizer found errors."""
    parser = argparse.ArgumentParser(prog="make gpu")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results" / "gpu")
    parser.add_argument("--only", nargs="+", choices=STEPS, default=list(STEPS))
    options = parser.parse_args(arguments)
    reason = missing_gpu()
    if reason is not None:
        print(f"make gpu: {reason}, so nothing was run.")
        return 0
    started = time.monotonic()
    record = describe()
    print(json.dumps(record), flush=True)
    ensure_built(str(record["capability"]))
    failed = False
    if "tests" in options.only:
        tests = record["tests"] = run_tests()
        failed |= tests["status"] != 0
    if "sanitizer" in options.only:
        from bench.gpu.sanitizer import run_all

        left = started + SANITIZER_END_S - time.monotonic()
        tools = record["sanitizer"] = run_all(max(20.0, min(SANITIZER_LIMIT_S, left)))
        failed |= any(tool["verdict"] == "errors" for tool in tools)
    if "bench" in options.only:
        record["cases"] = run_bench(started + TOTAL_S)
    record["wall_s"] = time.monotonic() - started
    print(f"wrote {write_record(options.out, record).name}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
