"""Peak memory of a call: what torch's allocator hands out above what was in use before."""

from __future__ import annotations

import os
from collections.abc import Callable
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
    run()
    with profile(use_cpu=True, profile_memory=True) as profiler:
        kept = run()
    del kept
    return _peak([event.nbytes() for event in _ordered(profiler)])


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
