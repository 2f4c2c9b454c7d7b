"""Peak memory of a call: what torch's allocator hands out above what was in use before."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch.autograd.profiler import profile

_MEMORY_EVENT = "[memory]"
os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else every profile writes two lines to stderr


def peak_bytes(run: Callable[[], object]) -> int:
    """The largest number of bytes that one call of `run` holds at a time on the CPU.

    Counts every allocation and release that goes through torch's CPU allocator, in their order:
    results and temporary tensors of any operator, whoever wrote it. Memory that other allocators
    hand out is not seen. The first of two calls is not counted, so that caches are filled.
    """
    return _peak([event.nbytes() for event in _ordered(_record(run))])


@dataclass(frozen=True)
class Held:
    """Memory that is in use when the peak is reached.

    Attributes:
        bytes: How many.
        operator: The operator that allocated it, with the ones that called it.
    """

    bytes: int
    operator: str


def held_at_peak(run: Callable[[], object], least: int) -> list[Held]:
    """What is alive at the peak of `peak_bytes`, in the order of allocation, from `least` bytes on.

    A release is taken for that of the latest block of its size: events do not name blocks.
    """
    profiler = _record(run)
    assert profiler.kineto_results is not None
    spans = [e for e in profiler.kineto_results.events() if e.name() != _MEMORY_EVENT]
    alive: list[Held] = []
    found: list[Held] = []
    for event in _ordered(profiler):
        size, now = event.nbytes(), event.start_ns()
        if size > 0:
            inside = [e for e in spans if e.start_ns() <= now <= e.end_ns()]
            names = [e.name() for e in sorted(inside, key=lambda e: e.start_ns())]
            alive.append(Held(size, " > ".join(names)))
        else:
            sizes = [held.bytes for held in alive]
            if -size in sizes:
                alive.pop(len(sizes) - 1 - sizes[::-1].index(-size))
        if sum(held.bytes for held in alive) > sum(held.bytes for held in found):
            found = alive.copy()
    return [held for held in found if held.bytes >= least]


def _record(run: Callable[[], object]) -> profile:
    run()
    with profile(use_cpu=True, profile_memory=True) as profiler:
        kept = run()
    del kept
    return profiler


def _ordered(profiler: profile) -> list[Any]:
    assert profiler.kineto_results is not None
    events = [e for e in profiler.kineto_results.events() if e.name() == _MEMORY_EVENT]
    return sorted(events, key=lambda event: event.start_ns())


def _peak(changes: list[int]) -> int:
    """The largest running sum of the changes, at least 0."""
    held = peak = 0
    for change in changes:
        held += change
        peak = max(peak, held)
    return peak
