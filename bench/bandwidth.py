"""Copy bandwidth of main memory, and the bytes an aggregation moves: how near one is to the other.

Bytes of `spmm` with E edges, M targets, width F and features of s bytes:

* gathered, the model of the bar: E (F s + index + weight) + (M + 1) index + M F s. Every edge reads
  its neighbour's row, its index and its weight; every target is written once. Rows that a cache
  still holds cost less than that, so the figure can exceed the copy bandwidth.
* compulsory: the same with each row of x that has an edge counted once. No schedule moves less.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch

from bench.harness import Plan, measure
from bench.inputs import EdgeList
from bench.schema import Bandwidth, CaseRecord, Summary
from bench.stats import summarize

_MEBIBYTE = 1 << 20
INDEX_BYTES = 4
WEIGHT_BYTES = 4


@dataclass(frozen=True)
class Traffic:
    """Bytes by the two models of this module."""

    gathered: int
    compulsory: int

    @classmethod
    def of_spmm(cls, edges: EdgeList, width: int, feature_bytes: int = 4) -> Traffic:
        """A weighted aggregation of `width` features of `feature_bytes` bytes, int32 indices."""
        arcs, row = edges.weight.numel(), width * feature_bytes
        fixed = arcs * (INDEX_BYTES + WEIGHT_BYTES) + (edges.num_nodes + 1) * INDEX_BYTES
        fixed += edges.num_nodes * row
        read = int(torch.unique(edges.edge_index[0]).numel())
        return cls(gathered=fixed + arcs * row, compulsory=fixed + read * row)

    def rates(self, seconds: float) -> dict[str, float]:
        """GB/s by model, named as in `CaseRecord.values`."""
        return {
            "gb_per_s": self.gathered / seconds / 1e9,
            "compulsory_gb_per_s": self.compulsory / seconds / 1e9,
        }


def copy_bandwidth(mebibytes: int = 256, rounds: int = 7) -> Bandwidth:
    """Bytes read plus bytes written per second between two large buffers, by the fastest means.

    The means are `Tensor.copy_` and the C library's memcpy, one slice per thread, which writes past
    the caches (non-temporal stores) at such sizes.
    """
    threads = torch.get_num_threads()
    source = torch.ones(mebibytes * _MEBIBYTE // 4)
    target = torch.empty_like(source)
    with ThreadPoolExecutor(threads) as pool:
        means = {
            "torch copy_": lambda: target.copy_(source),
            "memcpy per thread": _sliced_memcpy(target, source, threads, pool),
        }
        timings = measure(means, Plan(rounds=rounds))
    moved = 2 * source.numel() * source.element_size()
    rates = {
        name: summarize([moved / seconds / 1e9 for seconds in timing.wall_s])
        for name, timing in timings.items()
    }
    best = max(rates, key=lambda name: rates[name].median)
    return Bandwidth(threads=threads, bytes_moved=moved, gb_per_s=rates[best], means=best)


def with_copy_fraction(case: CaseRecord, bandwidths: Mapping[int, Summary]) -> CaseRecord:
    """The case with its rates as fractions of the copy bandwidth at its number of threads."""
    copy = bandwidths.get(case.threads)
    if copy is None or "gb_per_s" not in case.values:
        return case
    fractions = {
        "of_copy": case.values["gb_per_s"] / copy.median,
        "compulsory_of_copy": case.values["compulsory_gb_per_s"] / copy.median,
    }
    return case.model_copy(update={"values": {**case.values, **fractions}})


def _sliced_memcpy(
    target: torch.Tensor, source: torch.Tensor, threads: int, pool: ThreadPoolExecutor
) -> Callable[[], object]:
    size = source.numel() * source.element_size()
    ends = [size * part // threads for part in range(threads + 1)]

    def copy(part: int) -> None:
        begin, length = ends[part], ends[part + 1] - ends[part]
        ctypes.memmove(target.data_ptr() + begin, source.data_ptr() + begin, length)

    return lambda: list(pool.map(copy, range(threads)))
