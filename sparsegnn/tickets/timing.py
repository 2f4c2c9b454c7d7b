"""Wall-clock medians of functions that are called in turn, so that drift hits all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one function over interleaved rounds."""

    median_ms: float
    lower_quartile_ms: float
    upper_quartile_ms: float
    rounds: int


def interleaved(
    functions: dict[str, Callable[[], object]],
    *,
    rounds: int = 15,
    budget_s: float | None = None,
    device: torch.device | None = None,
) -> dict[str, Timing]:
    """Times every function once per round, in turn, after one untimed call of each.

    Args:
        functions: What to time, by name.
        rounds: Rounds to run.
        budget_s: Stop after this many seconds, but not before three rounds.
        device: CUDA device to synchronise around every call; None for the CPU.

    Returns:
        Medians and quartiles per name.
    """
    for function in functions.values():
        _timed(function, device)
    samples: dict[str, list[float]] = {name: [] for name in functions}
    started = time.perf_counter()
    for done in range(rounds):
        if budget_s is not None and done >= 3 and time.perf_counter() - started > budget_s:
            break
        for name, function in functions.items():
            samples[name].append(_timed(function, device))
    return {name: _summary(values) for name, values in samples.items()}


def _timed(function: Callable[[], object], device: torch.device | None) -> float:
    _synchronize(device)
    start = time.perf_counter()
    function()
    _synchronize(device)
    return (time.perf_counter() - start) * 1e3


def _synchronize(device: torch.device | None) -> None:
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)


def _summary(values: list[float]) -> Timing:
    if len(values) < 2:
        return Timing(values[0], values[0], values[0], 1)
    lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
    return Timing(median, lower, upper, len(values))
