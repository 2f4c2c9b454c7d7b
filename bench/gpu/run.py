"""`make gpu`: tests, compute-sanitizer and a benchmark on this machine's NVIDIA GPU.

    python bench/gpu/run.py [--out DIR] [--only tests sanitizer bench] [--sections NAME ...]
    python bench/gpu/run.py --rehearse      # the benchmark's code on the CPU, at tiny sizes

Says so in one sentence and succeeds where there is no GPU. Takes the built package when it loads
and holds CUDA kernels, builds it in place otherwise. Stays under nine minutes: steps and sections
have time limits. Writes the record after every step, so that what was measured is never lost.
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
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bench.gpu.device import describe, missing_gpu  # noqa: E402
from bench.gpu.setting import REHEARSAL, Setting  # noqa: E402

STEPS = ("tests", "sanitizer", "bench")
BUILD_LIMIT_S, TESTS_LIMIT_S, SANITIZER_LIMIT_S = 240.0, 110.0, 120.0
SANITIZER_END_S = 330.0  # after the start: leaves the benchmark its time when the build was slow
TOTAL_S = 510.0
PROBE = "import torch, sparsegnn; raise SystemExit(not torch.ops.sparsegnn.cuda_compiled())"
Record = dict[str, Any]


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
    """Builds the native modules in place unless they load and hold CUDA kernels.

    Needs nvcc, cmake, ninja and pybind11, and no network.
    """
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
        CMAKE_BUILD_PARALLEL_LEVEL=str(os.cpu_count() or 2),
    )
    if status == 0:
        status, output = run_python("-c", PROBE, timeout_s=60)
    if status != 0:
        raise SystemExit(f"make gpu: sparsegnn could not be built with CUDA.\n{output[-4000:]}")


def run_tests() -> dict[str, object]:
    """tests/gpu, without the options and plugins that only the development setup has."""
    options = ("-q", "-o", "addopts=", "-p", "no:cacheprovider", "--durations=5")
    status, output = run_python("-m", "pytest", "tests/gpu", *options, timeout_s=TESTS_LIMIT_S)
    print(output[-3000:], flush=True)
    return {"status": status, "output": output[-16000:]}


def run_bench(record: Record, setting: Setting, names: Sequence[str], deadline: float) -> None:
    """Adds sections and bars to the record; the import waits until a build is there."""
    from bench.gpu.bars import judge
    from bench.gpu.sections import run_section
    from bench.gpu.suite import SECTIONS

    sections: dict[str, Any] = {}
    record["sections"] = sections
    for section in SECTIONS:
        if names and section.name not in names:
            continue
        print(section.name, flush=True)
        sections[section.name] = run_section(section, setting, deadline)
    record["bars"] = judge(sections)
    for bar in record["bars"]:
        print(f"  {bar}", flush=True)


def write_record(folder: Path, record: Record) -> Path:
    """Writes the record under a name made of device and time: temporary file, fsync, rename."""
    folder.mkdir(parents=True, exist_ok=True)
    device = str(record.get("device", "gpu")).lower().replace(" ", "-")
    stamp = record.setdefault("created", datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S"))
    path = folder / f"gpu-{device}-{stamp}.json"
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(record, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    return path


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make gpu")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results" / "gpu")
    parser.add_argument("--only", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--sections", nargs="+", default=[], help="benchmarks to run, by name")
    parser.add_argument("--rehearse", action="store_true", help="tiny sizes on the CPU")
    return parser.parse_args(arguments)


def rehearse(options: argparse.Namespace) -> int:
    """Every line of the benchmark on the CPU; returns 1 when a case failed."""
    record: Record = {"device": "rehearsal"}
    run_bench(record, REHEARSAL, options.sections, time.monotonic() + TOTAL_S)
    print(f"wrote {write_record(options.out, record).name}")
    return int(any(section["errors"] for section in record["sections"].values()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the chosen steps; returns 1 when a test or case failed or a sanitizer found errors."""
    options = parse(arguments)
    if options.rehearse:
        return rehearse(options)
    reason = missing_gpu()
    if reason is not None:
        print(f"make gpu: {reason}, so nothing was run.")
        return 0
    started = time.monotonic()
    record: Record = describe()
    print(json.dumps(record), flush=True)
    ensure_built(str(record["capability"]))
    failed = False
    if "tests" in options.only:
        record["tests"] = run_tests()
        failed |= record["tests"]["status"] != 0
        write_record(options.out, record)
    if "sanitizer" in options.only:
        from bench.gpu.sanitizer import run_all

        left = started + SANITIZER_END_S - time.monotonic()
        tools = record["sanitizer"] = run_all(max(20.0, min(SANITIZER_LIMIT_S, left)))
        failed |= any(tool["verdict"] == "errors" for tool in tools)
        write_record(options.out, record)
    if "bench" in options.only:
        run_bench(record, Setting(), options.sections, started + TOTAL_S)
        failed |= any(section["errors"] for section in record["sections"].values())
    record["wall_s"] = time.monotonic() - started
    print(f"wrote {write_record(options.out, record).name}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
