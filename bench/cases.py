"""A case: one computation by several means, checked for equal results before it is timed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from bench.bandwidth import Traffic
from bench.harness import Plan, Run, measure, ratios
from bench.memory import peak_bytes
from bench.schema import CaseRecord, Timing

OURS = "sparsegnn"
Outputs = tuple[Tensor, ...]
Reference = Callable[[], Outputs]


@dataclass(frozen=True)
class Case:
    """Alternatives of one computation.

    Attributes:
        name: Unique within a record; bars refer to it.
        alternatives: Calls by name; names that start with "sparsegnn" are the package's own.
        params: Sizes and names that identify the input.
        subject: The alternative that ratios are taken against.
        reference: Gives float64 (or bool) results every alternative must reproduce; None where
            results are random by nature.
        references: Other references, for alternatives that compute something else on purpose.
        tolerance: Largest error allowed, relative to the largest reference value of each output.
        tolerances: Other tolerances, for alternatives with values of lower precision.
        traffic: Bytes that the subject moves, where memory is what binds.
        memory: Whether to measure the peak memory of every alternative as well.
        threads: Thread count to measure with; None keeps the process setting.
        note: What a reader must know to read the numbers.
    """

    name: str
    alternatives: Mapping[str, Run]
    params: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    subject: str | None = OURS
    reference: Reference | None = None
    references: Mapping[str, Reference] = field(default_factory=dict)
    tolerance: float = 1e-5
    tolerances: Mapping[str, float] = field(default_factory=dict)
    traffic: Traffic | None = None
    memory: bool = False
    threads: int | None = None
    note: str = ""


Builders = dict[str, Callable[[], Case]]


class MismatchError(ValueError):
    """An alternative does not compute what the reference computes."""


def run_case(case: Case, plan: Plan) -> CaseRecord:
    """Check that all alternatives agree, time them interleaved, and take the ratios.

    Raises:
        MismatchError: If an alternative is off by more than the tolerance.
    """
    with thread_count(case.threads) as threads:
        errors = agreement(case)
        peaks = _peaks(case)
        timings = measure(case.alternatives, plan)
    return CaseRecord(
        name=case.name,
        params=dict(case.params),
        threads=threads,
        subject=case.subject,
        timings=timings,
        ratios=ratios(timings, case.subject) if case.subject else [],
        max_error=errors,
        peak_bytes=peaks,
        values=_rates(case, timings),
        note=case.note,
    )


def _peaks(case: Case) -> dict[str, int]:
    if not case.memory:
        return {}
    return {name: peak_bytes(run) for name, run in case.alternatives.items()}


def _rates(case: Case, timings: Mapping[str, Timing]) -> dict[str, float]:
    if case.traffic is None or case.subject is None:
        return {}
    return case.traffic.rates(timings[case.subject].wall.median)


def agreement(case: Case, only: str | None = None) -> dict[str, float]:
    """Largest relative error of each alternative (or of `only` one) against its reference."""
    default = case.reference() if case.reference is not None else None
    errors = {}
    for name, run in case.alternatives.items():
        exact = case.references[name]() if name in case.references else default
        if exact is None or (only is not None and name != only):
            continue
        errors[name] = _error(_as_outputs(run()), exact)
        tolerance = case.tolerances.get(name, case.tolerance)
        if not errors[name] <= tolerance:
            raise MismatchError(
                f"{case.name}: expected {name} within {tolerance:g} of the reference, "
                f"got {errors[name]:g}"
            )
    return errors


@contextmanager
def thread_count(threads: int | None) -> Iterator[int]:
    """Run with `threads` intra-op threads (None: as it is) and restore the setting."""
    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def _as_outputs(result: object) -> Outputs:
    if isinstance(result, Tensor):
        return (result,)
    if isinstance(result, (tuple, list)) and all(isinstance(part, Tensor) for part in result):
        return tuple(result)
    raise TypeError(f"result: expected a tensor or a tuple of tensors, got {type(result).__name__}")


def _error(outputs: Outputs, reference: Outputs) -> float:
    if len(outputs) != len(reference):
        raise ValueError(f"outputs: expected {len(reference)}, got {len(outputs)}")
    return max(_relative(left, right) for left, right in zip(outputs, reference, strict=True))


def _relative(output: Tensor, reference: Tensor) -> float:
    """Max |difference| over max |reference|; infinity for NaN or another shape."""
    if output.shape != reference.shape:
        return float("inf")
    exact = reference.to(torch.float64)
    difference = (output.to(torch.float64) - exact).abs()
    if reference.numel() == 0:
        return 0.0
    scale = float(exact.abs().max()) or 1.0
    return float(torch.nan_to_num(difference, nan=float("inf")).max()) / scale
