"""Interleaved timing of alternatives: A B C, B C A, C A B, ... in one process.

Neighbouring samples see the same machine, so the ratio of two alternatives is taken within a
round. Both clocks are kept: wall time is what a user waits for, CPU time (all threads of this
process) is what a busy machine disturbs least.
"""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from bench.schema import Ratio, Timing
from bench.stats import paired_ratios, summarize

Run = Callable[[], object]


class Sample(NamedTuple):
    """Seconds per call by both clocks, and involuntary context switches per second."""

    wall: float
    cpu: float
    preemptions: float


@dataclass(frozen=True)
class Plan:
    """How long to measure.

    Attributes:
        rounds: Samples of every alternative.
        warmup: Untimed calls of every alternative before the first round.
        min_sample_s: A sample repeats the call until about this much time has passed.
        settle_s: Pause before a sample, in which idle worker threads of the alternative before it
            stop spinning; their CPU time would be charged to the wrong one.
        budget_s: No further round starts once the quick alternatives have taken this many
            seconds and `min_rounds` are done.
        min_rounds: Rounds taken whatever they cost.
        slow_s: An alternative whose call takes longer than this is measured in the first
            `min_rounds` rounds only, outside the budget.
    """

    rounds: int = 11
    warmup: int = 2
    min_sample_s: float = 0.02
    settle_s: float = 0.003
    budget_s: float = 20.0
    min_rounds: int = 3
    slow_s: float = float("inf")


QUICK = Plan(rounds=7, warmup=1, min_sample_s=0.01, budget_s=3.0, slow_s=0.5)


def measure(alternatives: Mapping[str, Run], plan: Plan | None = None) -> dict[str, Timing]:
    """Time every alternative in interleaved rounds.

    Returns:
        Seconds per call by name, round by round from the first; slow alternatives have fewer
        rounds than the others.

    Raises:
        ValueError: If there is no alternative.
    """
    if not alternatives:
        raise ValueError("alternatives: expected at least one, got none")
    plan = plan or Plan()
    warm = {name: _warm_up(run, plan) for name, run in alternatives.items()}
    calls = {name: max(1, round(plan.min_sample_s / max(s, 1e-9))) for name, s in warm.items()}
    quick = [name for name in alternatives if warm[name] <= plan.slow_s]
    samples: dict[str, list[Sample]] = {name: [] for name in alternatives}
    spent = 0.0
    with _no_gc():
        for round_index in range(plan.rounds):
            due = list(alternatives) if round_index < plan.min_rounds else quick
            if round_index >= plan.min_rounds and (spent > plan.budget_s or not quick):
                break
            for name in _rotated(due, round_index):
                time.sleep(plan.settle_s)
                samples[name].append(_sample(alternatives[name], calls[name]))
            spent += sum(samples[name][-1].wall * calls[name] for name in quick)
    return {name: _timing(calls[name], taken) for name, taken in samples.items()}


def ratios(timings: Mapping[str, Timing], subject: str) -> list[Ratio]:
    """Every other alternative against `subject`, paired per round, slowest peer first."""
    found = [
        _ratio(name, timing, timings[subject])
        for name, timing in timings.items()
        if name != subject
    ]
    return sorted(found, key=lambda ratio: -ratio.wall.median)


def _ratio(name: str, peer: Timing, subject: Timing) -> Ratio:
    """The ratio over the rounds that both took part in, which are the first ones."""
    shared = min(len(peer.wall_s), len(subject.wall_s))
    return Ratio(
        peer=name,
        wall=summarize(paired_ratios(peer.wall_s[:shared], subject.wall_s[:shared])),
        cpu=summarize(paired_ratios(peer.cpu_s[:shared], subject.cpu_s[:shared])),
    )


def _warm_up(run: Run, plan: Plan) -> float:
    """Seconds of the fastest of the untimed calls; a slow alternative gets only one."""
    fastest = float("inf")
    for _ in range(max(plan.warmup, 1)):
        fastest = min(fastest, _sample(run, 1).wall)
        if fastest > plan.slow_s:
            break
    return fastest


def _sample(run: Run, calls: int) -> Sample:
    switches = _preemptions()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(calls):
        run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Sample(wall / calls, cpu / calls, (_preemptions() - switches) / wall)


def _preemptions() -> int:
    """Involuntary context switches of all threads of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def _rotated(names: list[str], by: int) -> list[str]:
    shift = by % len(names)
    return names[shift:] + names[:shift]


def _timing(calls: int, samples: list[Sample]) -> Timing:
    wall, cpu = [sample.wall for sample in samples], [sample.cpu for sample in samples]
    return Timing(
        calls_per_sample=calls,
        preemptions_per_s=sum(sample.preemptions for sample in samples) / len(samples),
        wall_s=wall,
        cpu_s=cpu,
        wall=summarize(wall),
        cpu=summarize(cpu),
    )


@contextmanager
def _no_gc() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
