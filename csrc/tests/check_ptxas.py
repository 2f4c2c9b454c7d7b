"""Compiles every CUDA kernel and holds it to its register budget; a spill is always an error.

    python csrc/tests/check_ptxas.py [--arch 90 ...] [--jobs 2]

The budget, csrc/cuda/ptxas_budget.json, maps a kernel pattern to the most registers it may use; the
first pattern that matches a kernel counts, and a pattern that matches no kernel is an error too.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

CSRC = Path(__file__).resolve().parents[1]
BUDGET = CSRC / "cuda" / "ptxas_budget.json"
ENTRY = re.compile(r"Compiling entry function '(\w+)' for '(sm_\w+)'")
SPILLS = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")
REGISTERS = re.compile(r"Used (\d+) registers")


@dataclass(frozen=True)
class Kernel:
    """What ptxas reports about one kernel."""

    name: str
    arch: str
    registers: int
    spilled_bytes: int


def demangle(names: Sequence[str]) -> list[str]:
    """Returns `family<arguments>` for each mangled kernel name."""
    process = subprocess.run(["c++filt", *names], capture_output=True, text=True, check=True)
    short = [re.sub(r"\(.*", "", line) for line in process.stdout.splitlines()]
    return [name.removeprefix("void ").replace("sgnn::", "") for name in short]


def parse_report(report: str) -> list[Kernel]:
    """Reads the output of `ptxas -v`."""
    entries: list[tuple[str, str]] = []
    numbers: list[tuple[int, int]] = []
    spilled = 0
    for line in report.splitlines():
        if match := ENTRY.search(line):
            entries.append((match[1], match[2]))
        elif match := SPILLS.search(line):
            spilled = int(match[1]) + int(match[2])
        elif match := REGISTERS.search(line):
            numbers.append((int(match[1]), spilled))
    if len(entries) != len(numbers):
        raise ValueError(
            f"ptxas named {len(entries)} kernels but reported registers of {len(numbers)}"
        )
    names = demangle([mangled for mangled, _ in entries])
    return [
        Kernel(name, arch, registers, spilled_bytes)
        for name, (_, arch), (registers, spilled_bytes) in zip(names, entries, numbers, strict=True)
    ]


def compile_kernels(source: Path, arch: str) -> list[Kernel]:
    """Compiles one source for one architecture, warnings being errors."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            "nvcc",
            "-std=c++17",
            "-O3",
            "-Werror=all-warnings",
            f"-arch=sm_{arch}",
            f"-I{CSRC / 'include'}",
            f"-I{CSRC / 'cuda'}",
            "-Xptxas=-v",
            "-cubin",
            f"-o={folder}/kernels.cubin",
            str(source),
        ]
        process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode != 0:
        raise RuntimeError(f"nvcc failed on {source.name} for sm_{arch}:\n{process.stderr}")
    return parse_report(process.stdout + process.stderr)


def violations(kernels: Sequence[Kernel], budget: dict[str, int]) -> list[str]:
    """One sentence per kernel over budget, kernel without budget, and pattern without kernel."""
    found = []
    used: set[str] = set()
    for kernel in kernels:
        where = f"{kernel.name} on {kernel.arch}"
        pattern = next((p for p in budget if fnmatchcase(kernel.name, p)), None)
        if kernel.spilled_bytes:
            found.append(f"{where} spills {kernel.spilled_bytes} bytes")
        if pattern is None:
            found.append(f"{where} has no budget in {BUDGET.name}")
            continue
        used.add(pattern)
        if kernel.registers > budget[pattern]:
            found.append(f"{where} uses {kernel.registers} registers, budget {budget[pattern]}")
    found += [f"budget '{p}' matches no kernel" for p in budget if p not in used]
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints every kernel's registers and each violation; returns 1 when there is one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--arch", nargs="+", default=["90"], help="such as 80 90 100 120")
    parser.add_argument("--jobs", type=int, default=2, help="compilers at a time")
    options = parser.parse_args(arguments)
    if shutil.which("nvcc") is None:
        print("check_ptxas: no nvcc on PATH")
        return 1
    sources = sorted((CSRC / "cuda").glob("*.cu"))
    work = [(source, arch) for arch in options.arch for source in sources]
    with ThreadPoolExecutor(options.jobs) as pool:
        reports = list(pool.map(lambda item: compile_kernels(*item), work))
    kernels = [kernel for report in reports for kernel in report]
    for kernel in sorted(kernels, key=lambda k: (k.name, k.arch)):
        print(f"{kernel.name:48s} {kernel.arch:7s} {kernel.registers:4d} registers")
    found = violations(kernels, json.loads(BUDGET.read_text()))
    print("\n".join(found) if found else f"{len(kernels)} kernels within budget")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
