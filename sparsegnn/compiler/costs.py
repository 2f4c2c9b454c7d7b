"""What the steps of a plan are expected to cost on this machine.

A kind of step is timed once per process, when a plan is first compared by it: on a small and on a
larger problem, which gives the time of a call and of a unit of work. Plans that are not measured
are chosen by these times, and those that are measured are the ones whose times are near.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from sparsegnn.compiler.channel_steps import Place, Take
from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.epilogue import Epilogue
from sparsegnn.compiler.feature_steps import FusedHidden, SparseFeatures, SparseProduct
from sparsegnn.compiler.linear_steps import BlockLinear, CsrLinear, DenseLinear, NarrowLinear
from sparsegnn.compiler.sizes import Sizes
from sparsegnn.compiler.steps import Spmm, Step
from sparsegnn.compiler.timing import interleaved
from sparsegnn.compiler.topk_steps import Largest, RowsLinear, SpmmOfRows

_SMALL, _LARGE = 32, 4096  # nodes
_WIDTH, _DEGREE = 128, 8
_ROUNDS = 5


@dataclass(frozen=True)
class Rate:
    """Milliseconds of a step: of the call, and per unit of its work."""

    call: float
    unit: float

    def ms(self, work: int) -> float:
        """Expected time."""
        return self.call + work * self.unit


def estimated_ms(steps: Iterable[Step], dtype: torch.dtype, device: torch.device) -> float:
    """Expected time of steps one after the other, for features of a dtype."""
    threads = torch.get_num_threads()
    rated = torch.float64 if dtype == torch.float64 else torch.float32
    return sum(_rate(step.kind, rated, device, threads).ms(step.work) for step in steps)


@cache
def _rate(kind: str, dtype: torch.dtype, device: torch.device, threads: int) -> Rate:
    """The rate of a kind; zero for those that never compete."""
    if kind not in _PROBES:
        return Rate(0.0, 0.0)
    with torch.inference_mode():
        probes = [_PROBES[kind](_Probe(nodes, dtype, device)) for nodes in (_SMALL, _LARGE)]
        runs: dict[str, Callable[[], object]] = {
            str(i): partial(step.bind(), h) for i, (step, h) in enumerate(probes)
        }
        timings = interleaved(runs, rounds=_ROUNDS, device=device)
    low, high = (timings[name].lower_quartile_ms for name in runs)
    small, large = (step.work for step, _ in probes)
    unit = max(high - low, 0.0) / (large - small)
    return Rate(max(low - small * unit, 0.0), unit)


@dataclass(frozen=True)
class _Probe:
    """Inputs of the steps that are timed."""

    nodes: int
    dtype: torch.dtype
    device: torch.device

    def numbers(self, *shape: int, kept: float = 1.0) -> Tensor:
        """Uniform numbers in [-1, 1), of which a share is not zero; always the same."""
        generator = torch.Generator().manual_seed(0)
        drawn = torch.rand(shape, generator=generator) * 2 - 1
        keep = torch.rand(shape, generator=generator) < kept
        return (drawn * keep).to(self.device, self.dtype)

    def matrix(self, width: int) -> CsrMatrix:
        """The same number of entries in every row [nodes, width]."""
        generator = torch.Generator().manual_seed(0)
        col = torch.randint(width, (self.nodes * _DEGREE,), generator=generator)
        rowptr = torch.arange(self.nodes + 1, dtype=torch.int32) * _DEGREE
        values = torch.ones(len(col), dtype=self.dtype)
        return CsrMatrix(rowptr, col.to(torch.int32), values, width).to(self.device)

    def sizes(self) -> Sizes:
        """Those of sparse features."""
        return Sizes(self.nodes, self.matrix(4 * _WIDTH))

    def weight(self, outputs: int = _WIDTH, kept: float = 1.0) -> Tensor:
        """A weight for dense features."""
        return self.numbers(outputs, _WIDTH, kept=kept)

    def rows(self) -> Tensor:
        """Dense features."""
        return self.numbers(self.nodes, _WIDTH)


_Made = tuple[Step, Any]


def _dense(probe: _Probe, outputs: int, dtype: torch.dtype | None = None) -> _Made:
    weight = probe.weight(outputs)
    stored = weight if dtype is None else weight.to(dtype)
    rows = probe.rows() if dtype is None else probe.rows().to(dtype)
    return DenseLinear(stored, probe.nodes, store=dtype), rows


def _blocks(probe: _Probe) -> _Made:
    kept = probe.numbers(_WIDTH // 32, _WIDTH // 32, kept=0.25).ne(0)
    mask = kept.repeat_interleave(32, 0).repeat_interleave(32, 1)
    return BlockLinear(probe.weight() * mask, 32, probe.nodes), probe.rows()


def _features(probe: _Probe, kind: Any, kept: float) -> _Made:
    sizes = probe.sizes()
    return kind(probe.numbers(_WIDTH, 4 * _WIDTH, kept=kept), sizes), sizes.features


def _hidden(probe: _Probe) -> _Made:
    sizes, weight = probe.sizes(), probe.numbers(_WIDTH, 4 * _WIDTH)
    matrix = probe.matrix(probe.nodes)
    return FusedHidden(matrix, weight, None, probe.weight(8), sizes), sizes.features


def _channels(probe: _Probe) -> Tensor:
    return torch.arange(0, _WIDTH, 2, device=probe.device)


def _sparse_rows(probe: _Probe) -> Any:
    return Largest(_DEGREE, False).bind()(probe.rows())


_BF16 = torch.bfloat16
_PROBES: dict[str, Callable[[_Probe], _Made]] = {
    Spmm.kind: lambda p: (Spmm(p.matrix(p.nodes), _WIDTH), p.rows()),
    "dense weight": lambda p: _dense(p, _WIDTH),
    "narrow dense weight": lambda p: _dense(p, 8),
    "dense weight, bfloat16": lambda p: _dense(p, _WIDTH, _BF16),
    "narrow dense weight, bfloat16": lambda p: _dense(p, 8, _BF16),
    CsrLinear.kind: lambda p: (CsrLinear(p.weight(kept=0.1), p.nodes), p.rows()),
    BlockLinear.kind: _blocks,
    NarrowLinear.kind: lambda p: (NarrowLinear(p.weight(8), p.nodes), p.rows()),
    SparseFeatures.kind: lambda p: _features(p, SparseFeatures, 1.0),
    SparseProduct.kind: lambda p: _features(p, SparseProduct, 0.2),
    FusedHidden.kind: _hidden,
    SpmmOfRows.kind: lambda p: (SpmmOfRows(p.matrix(p.nodes), _WIDTH, _DEGREE), _sparse_rows(p)),
    RowsLinear.kind: lambda p: (RowsLinear(p.weight(), p.nodes, _DEGREE), _sparse_rows(p)),
    Take.kind: lambda p: (Take(_channels(p), p.nodes), p.rows()),
    Place.kind: lambda p: (
        Place(_channels(p), _WIDTH, p.nodes, Epilogue()),
        p.rows()[:, : _WIDTH // 2].contiguous(),
    ),
}
