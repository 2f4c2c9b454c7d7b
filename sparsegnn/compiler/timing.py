"""Medians of functions that are called in turn, so that drift hits all of them alike."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

# The calling thread works all the time on a machine that is free; on a busy one it waits.
BUSY_SHARE = 0.75

# A sample repeats its function until about this long, so that the clock is fine enough.
_SAMPLE_MS = 0.2
_MOST_CALLS = 32
# Rounds are added up to this many times those asked for while they take little time.
_MOST_REPEATS = 20

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
    fill_s: float = 0.0,
    device: torch.device | None = None,
    clock: str = WALL,
) -> dict[str, Timing]:
    """Times every function in turn, round by round, after untimed calls of each.

    The order rotates. With `fill_s`, a sample of a short function is the mean of several calls.

    Args:
        functions: What to time, by name.
        rounds: Rounds to run; more of them while all together took less than `fill_s`.
        budget_s: Stop after this many seconds, but not before three rounds.
        fill_s: Seconds to spend on short functions.
        device: CUDA device to synchronise around every call; None for the CPU.
        clock: What to report, `WALL` or `CPU`; for the latter torch must run on one thread.

    Returns:
        Medians and quartiles per name.
    """
    calls = {name: _calls(function, device) for name, function in functions.items()}
    if fill_s <= 0.0:
        calls = dict.fromkeys(calls, 1)
    samples: dict[str, list[_Sample]] = {name: [] for name in functions}
    names = list(functions)
    started = time.perf_counter()
    for done in itertools.count():
        spent = time.perf_counter() - started
        if done >= rounds and (spent >= fill_s or done >= _MOST_REPEATS * rounds):
            break
        if budget_s is not None and done >= 3 and spent > budget_s:
            break
        for name in names[done % len(names) :] + names[: done % len(names)]:
            samples[name].append(_timed(functions[name], device, calls[name]))
    return {name: _summary(values, clock) for name, values in samples.items()}


def comparable(
    functions: dict[str, Callable[[], object]],
    *,
    rounds: int,
    budget_s: float,
    device: torch.device,
    fill_s: float = 0.0,
) -> dict[str, Timing]:
    """Times functions for a choice between them, also on a busy machine.

    Where other processes hold the cores, wall-clock measures the scheduler. The functions are then
    timed again by the CPU time of one thread, which waiting does not count.

    Args:
        functions: What to time, by name.
        rounds: Rounds to run.
        budget_s: Seconds per series.
        device: Where the functions run.
        fill_s: Seconds per series to spend on short functions.
    """
    options: dict[str, Any] = {"rounds": rounds, "budget_s": budget_s, "fill_s": fill_s}
    timings = interleaved(functions, **options, device=device)
    if device.type != "cpu" or min(t.cpu_share for t in timings.values()) >= BUSY_SHARE:
        return timings
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return interleaved(functions, **options, clock=CPU)
    finally:
        torch.set_num_threads(threads)


def _calls(function: Callable[[], object], device: torch.device | None) -> int:
    """How many calls fill a sample; a short function warms up twice for it."""
    once = _timed(function, device, 1).wall_ms
    if once < 10 * _SAMPLE_MS:
        once = min(once, _timed(function, device, 1).wall_ms)
    return max(1, min(_MOST_CALLS, round(_SAMPLE_MS / max(once, 1e-6))))


def _timed(function: Callable[[], object], device: torch.device | None, calls: int) -> _Sample:
    _synchronize(device)
    wall, cpu = time.perf_counter(), time.thread_time()
    for _ in range(calls):
        function()
    _synchronize(device)
    scale = 1e3 / calls
    return _Sample((time.perf_counter() - wall) * scale, (time.thread_time() - cpu) * scale)


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
