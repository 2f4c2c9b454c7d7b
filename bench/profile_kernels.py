"""What binds one aggregation of the grid: bytes, bandwidth, counters, and its time without misses.

Usage: `python -m bench.profile_kernels spmm/uk-2007-05-100000/width=128 ... [--bf16] [--out FILE]`,
or `spmm-max/...` for the largest message instead of the sum.

`near` is the same kernel with every column set to 0, so that every gather hits the L1 cache: the
time of everything but memory. `result` is a tensor of the size of the result, made and filled: what
new memory and the system's clearing of it cost by themselves. Counters come from `perf stat` around
repeated calls and say so where the machine has none.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from shutil import which

import torch

import sparsegnn as sg
from bench.bandwidth import Traffic, copy_bandwidth
from bench.environment import describe
from bench.graphs import GRAPHS
from bench.harness import Plan, measure
from bench.inputs import EdgeList
from bench.ops.spmm import graph_of
from sparsegnn.data.files import write_atomic

EVENTS = ("cycles", "instructions", "L1-dcache-load-misses", "LLC-load-misses", "dTLB-load-misses")
PLAN = Plan(rounds=15, min_sample_s=0.02, budget_s=6.0)
COUNTED_S = 1.0
ATTACH_S = 0.3  # perf needs a moment, in which this process sleeps


REDUCE = {"spmm": "sum", "spmm-max": "max"}  # by the first part of a case name


def parse(case: str) -> tuple[str, int]:
    """Graph and width of a case name `spmm/GRAPH/width=W` or `spmm-max/GRAPH/width=W`.

    Raises:
        ValueError: The name is none of the grid.
    """
    parts = case.split("/")
    known = [graph.name for graph in GRAPHS]
    fits = len(parts) == 3 and parts[0] in REDUCE and parts[2].startswith("width=")
    if not fits or parts[1] not in known or not parts[2][6:].isdigit():
        raise ValueError(f"case must be spmm/GRAPH/width=W, GRAPH one of {known}, got {case}.")
    return parts[1], int(parts[2][6:])


def with_near_columns(graph: sg.Graph) -> sg.Graph:
    """The graph with the same degrees whose edges all come from source 0."""
    return sg.Graph(graph.csr._replace(col=torch.zeros_like(graph.csr.col)), unsafe=True)


def profile(case: str, bf16: bool) -> dict[str, object]:
    """Time, rates and counters of one case."""
    name, width = parse(case)
    edges = next(graph for graph in GRAPHS if graph.name == name).load()
    far, near, result = calls(edges, width, bf16, REDUCE[case.split("/")[0]])
    timings = measure({"spmm": far, "near": near, "result": result}, PLAN)
    seconds, bound, cleared = (timings[key].wall.median for key in ("spmm", "near", "result"))
    copy = copy_bandwidth()
    traffic = Traffic.of_spmm(edges, width, 2 if bf16 else 4)
    return {
        "case": case,
        "features": "bf16" if bf16 else "fp32",
        "threads": torch.get_num_threads(),
        "milliseconds": 1e3 * seconds,
        "milliseconds_near": 1e3 * bound,
        "milliseconds_result": 1e3 * cleared,
        "share_of_memory": 1.0 - bound / seconds,
        "gathered_bytes": traffic.gathered,
        "compulsory_bytes": traffic.compulsory,
        **traffic.rates(seconds),
        "copy_gb_per_s": copy.gb_per_s.median,
        "copy_means": copy.means,
        "counters": counters(far),
        "counters_near": counters(near),
    }


def calls(edges: EdgeList, width: int, bf16: bool, reduce: str) -> tuple[Callable[[], object], ...]:
    """The aggregation, the same with all gathers in the L1 cache, and its result alone."""
    x = torch.randn(edges.num_nodes, width, generator=torch.Generator().manual_seed(1))
    x = x.to(torch.bfloat16) if bf16 else x
    graph = graph_of(edges)
    near = with_near_columns(graph)
    return (
        lambda: sg.ops.spmm(graph, x, edge_weight=edges.weight, reduce=reduce),
        lambda: sg.ops.spmm(near, x, edge_weight=edges.weight, reduce=reduce),
        lambda: torch.zeros_like(x),
    )


def counters(run: Callable[[], object]) -> dict[str, float] | str:
    """Events per call while `run` repeats for a second, or one sentence why there are none."""
    if which("perf") is None:
        return "perf is not installed."
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "perf.csv"
        command = ["perf", "stat", "-x", ",", "-o", str(report), "-e", ",".join(EVENTS)]
        process = subprocess.Popen([*command, "-p", str(os.getpid())], stderr=subprocess.DEVNULL)
        time.sleep(ATTACH_S)
        repeated = _repeat(run)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=10)
        text = report.read_text() if report.exists() else ""
    return read_counters(text, repeated)


def read_counters(text: str, repeated: int) -> dict[str, float] | str:
    """Counts per call from the output of `perf stat -x ,`."""
    fields = [line.split(",") for line in text.splitlines() if line.count(",") > 2]
    found = {row[2]: float(row[0]) / repeated for row in fields if row[0].isdigit()}
    return found or "this machine gives perf no hardware counters."


def _repeat(run: Callable[[], object]) -> int:
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < COUNTED_S:
        run()
        done += 1
    return done


def main(arguments: list[str] | None = None) -> None:
    """Prints the profiles as JSON; writes them with `--out`."""
    parser = argparse.ArgumentParser(prog="python -m bench.profile_kernels", description=__doc__)
    parser.add_argument("cases", nargs="+", metavar="CASE", help="spmm/GRAPH/width=W")
    parser.add_argument("--bf16", action="store_true", help="features stored in bfloat16")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    profiles = [profile(case, options.bf16) for case in options.cases]
    record = {"environment": describe().model_dump(mode="json"), "profiles": profiles}
    text = json.dumps(record, indent=1)
    print(text, file=sys.stdout)
    if options.out is not None:
        write_atomic(options.out, lambda stream: stream.write(text.encode()))


if __name__ == "__main__":
    main()
