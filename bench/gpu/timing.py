"""Times GPU work with CUDA events."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping

import torch

Run = Callable[[], object]


def seconds(run: Run, calls: int) -> float:
    """Seconds per call of `calls` calls queued back to back on the current stream."""
    begin = torch.cuda.Event(enable_timing=True)
    end = torch.cuda.Event(enable_timing=True)
    begin.record()
    for _ in range(calls):
        run()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end)) / 1e3 / calls


def summarize(samples: list[float]) -> dict[str, float | int | list[float]]:
    """Median, quartiles and the samples themselves."""
    quartiles = statistics.quantiles(samples, n=4, method="inclusive")
    return {
        "median_s": statistics.median(samples),
        "q1_s": quartiles[0],
        "q3_s": quartiles[2],
        "samples_s": samples,
    }


def compare(
    alternatives: Mapping[str, Run], rounds: int = 11, min_sample_s: float = 2e-3
) -> dict[str, object]:
    """Times alternatives in interleaved rounds; caches are as warm as repetition leaves them.

    A sample repeats the call until it lasts about `min_sample_s`, so that the launch of one call
    overlaps the work of the one before, as in a training loop.
    """
    calls = {}
    for name, run in alternatives.items():
        seconds(run, 3)
        calls[name] = max(1, round(min_sample_s / max(seconds(run, 1), 1e-7)))
    samples: dict[str, list[float]] = {name: [] for name in alternatives}
    for _ in range(rounds):
        for name, run in alternatives.items():
            samples[name].append(seconds(run, calls[name]))
    return {name: summarize(taken) for name, taken in samples.items()}


def median(timings: Mapping[str, object], name: str) -> float:
    """The median seconds of one alternative of `compare`."""
    timing = timings[name]
    assert isinstance(timing, dict)
    return float(timing["median_s"])
