"""Times work on the device: with CUDA events, or with a clock in a rehearsal on the CPU."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import torch

from bench.gpu.setting import Setting

Run = Callable[[], object]
Timings = dict[str, dict[str, object]]


def seconds(run: Run, calls: int, device: str = "cuda") -> float:
    """Seconds per call of `calls` calls queued back to back on the current stream."""
    if device == "cpu":
        start = time.perf_counter()
        for _ in range(calls):
            run()
        return (time.perf_counter() - start) / calls
    begin = torch.cuda.Event(enable_timing=True)
    end = torch.cuda.Event(enable_timing=True)
    begin.record()
    for _ in range(calls):
        run()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end)) / 1e3 / calls


def summarize(samples: list[float]) -> dict[str, object]:
    """Median, quartiles and the samples themselves."""
    quartiles = statistics.quantiles(samples, n=4, method="inclusive")
    return {
        "median_s": statistics.median(samples),
        "q1_s": quartiles[0],
        "q3_s": quartiles[2],
        "samples_s": samples,
    }


def compare(
    setting: Setting, alternatives: Mapping[str, Run], rounds: int = 7, min_sample_s: float = 2e-3
) -> Timings:
    """Times alternatives in interleaved rounds; caches are as warm as repetition leaves them.

    A sample repeats the call until it lasts about `min_sample_s`, so that the launch of one call
    overlaps the work of the one before, as in a training loop.
    """
    calls = {}
    sample_s = setting.size(min_sample_s, 0.0)
    for name, run in alternatives.items():
        seconds(run, setting.size(3, 1), setting.device)
        calls[name] = max(1, round(sample_s / max(seconds(run, 1, setting.device), 1e-7)))
    samples: dict[str, list[float]] = {name: [] for name in alternatives}
    for _ in range(setting.rounds(rounds)):
        for name, run in alternatives.items():
            samples[name].append(seconds(run, calls[name], setting.device))
    return {name: summarize(taken) for name, taken in samples.items()}


def median(timings: Mapping[str, Mapping[str, object]], name: str) -> float:
    """The median seconds of one alternative of `compare`."""
    value = timings[name]["median_s"]
    assert isinstance(value, float)
    return value
