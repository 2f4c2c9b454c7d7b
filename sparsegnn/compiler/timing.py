"""Medians of functions that are called in turn, so that drift hits all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

# The calling thread works all the time on a machine that is free; on a busy one it waits.
BUSY_SHARE = 0.75

WALL = "wall"
CPU = "CPU of one thread"


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one function over interleaved rounds.

    Attributes:
        median_ms: Median.
        lower_quartile_ms: First quartile.
        upper_quartile_ms: Third quartile.
        rounds: Rounds measured.
        cpu_share: Median share of its own wall-clock that the calling thread was running.
        clock: "wall", or "CPU of one thread".
    """

    median_ms: float
    lower_quartile_ms: float
    upper_quartile_ms: float
    rounds: int
    cpu_share: float
    clock: str = WALL


@dataclass(frozen=True)
class _Sample:
    wall_ms: float
    cpu_ms: float


def interleaved(
    functions: dict[str, Callable[[], object]],
    *,
    rounds: int = 15,
    budget_s: float | None = None,
    device: torch.device | None = None,
    clock: str = WALL,
) -> dict[str, Timing]:
    """Times every function once per round, in turn, after one untimed call of each.

    Args:
        functions: What to time, by name.
        rounds: Rounds to run.
        budget_s: Stop after this many seconds, but not before three rounds.
        device: CUDA device to synchronise around every call; None for the CPU.
        clock: What to report, `WALL` or `CPU`; for the latter torch must run on one thread.

    Returns:
        Medians and quartiles per name.
    """
    for function in functions.values():
        _timed(function, device)
    samples: dict[str, list[_Sample]] = {name: [] for name in functions}
    started = time.perf_counter()
    for done in range(rounds):
        if budget_s is not None and done >= 3 and time.perf_counter() - started > budget_s:
            break
        for name, function in functions.items():
            samples[name].append(_timed(function, device))
    return {name: _summary(values, clock) for name, values in samples.items()}


def comparable(
    functions: dict[str, Callable[[], object]],
    *,
    rounds: int,
    budget_s: float,
    device: torch.device,
) -> dict[str, Timing]:
    """Times functions for a choice between them, also on a busy machine.

    Where other processes hold the cores, wall-clock measures the scheduler. The functions are then
    timed again by the CPU time of one thread, which waiting does not count.

    Args:
        functions: What to time, by name.
        rounds: Rounds to run.
        budget_s: Seconds per series.
        device: Where the functions run.
    """
    timings = interleaved(functions, rounds=rounds, budget_s=budget_s, device=device)
    if device.type != "cpu" or min(t.cpu_share for t in timings.values()) >= BUSY_SHARE:
        return timings
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return interleaved(functions, rounds=rounds, budget_s=budget_s, clock=CPU)
    finally:
        torch.set_num_threads(threads)


def _timed(function: Callable[[], object], device: torch.device | None) -> _Sample:
    _synchronize(device)
    wall, cpu = time.perf_counter(), time.thread_time()
    function()
    _synchronize(device)
    return _Sample((time.perf_counter() - wall) * 1e3, (time.thread_time() - cpu) * 1e3)


def _synchronize(device: torch.device | None) -> None:
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)


def _summary(samples: list[_Sample], clock: str) -> Timing:
    values = [sample.wall_ms if clock == WALL else sample.cpu_ms for sample in samples]
    share = statistics.median(s.cpu_ms / s.wall_ms if s.wall_ms > 0 else 1.0 for s in samples)
    if len(values) < 2:
        return Timing(values[0], values[0], values[0], 1, share, clock)
    lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
    return Timing(median, lower, upper, len(values), share, clock)
