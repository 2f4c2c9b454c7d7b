"""Copy bandwidth of main memory: the yardstick of every gather-bound kernel."""

from __future__ import annotations

import torch

from bench.harness import Plan, measure
from bench.schema import Bandwidth
from bench.stats import summarize

_MEBIBYTE = 1 << 20


def copy_bandwidth(mebibytes: int = 256, rounds: int = 7) -> Bandwidth:
    """Bytes read plus bytes written per second of `Tensor.copy_` between two large buffers."""
    source = torch.ones(mebibytes * _MEBIBYTE // 4)
    target = torch.empty_like(source)
    timing = measure({"copy": lambda: target.copy_(source)}, Plan(rounds=rounds))["copy"]
    moved = 2 * source.numel() * source.element_size()
    return Bandwidth(
        threads=torch.get_num_threads(),
        bytes_moved=moved,
        gb_per_s=summarize([moved / seconds / 1e9 for seconds in timing.wall_s]),
    )
