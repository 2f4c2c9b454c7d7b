"""Which of the programs that compute the same is shipped: the one that measures fastest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from sparsegnn.compiler.compiled import CompiledModel
from sparsegnn.compiler.dense import DenseProgram
from sparsegnn.compiler.report import Report
from sparsegnn.compiler.timing import Timing, comparable, interleaved

if TYPE_CHECKING:
    from sparsegnn.compiler.pipeline import Problem

_ROUNDS = 21
_BUDGET_S = 1.0
_FILL_S = 0.06
# Medians nearer than this are measured again, longer.
_CLOSE = 1.1
# A model as it was given that takes this many times as long in one call is not measured.
_OUT_OF_THE_RACE = 1.5

Runs = dict[str, Callable[[], object]]


def ship(
    problem: Problem,
    masked: DenseProgram,
    compiled: CompiledModel,
    rounded: CompiledModel | None = None,
) -> CompiledModel:
    """The fastest of the programs and of the model, by measurement.

    Args:
        problem: What was compiled.
        masked: The dense model on the pruned graph.
        compiled: The exact program.
        rounded: The same with 16-bit storage; shipped only where it is the fastest of all.
    """
    runs: Runs = {"compiled": compiled, "masked": masked}
    if rounded is not None:
        runs["rounded"] = rounded
    if problem.whole is not problem.pruned:
        runs["dense"] = problem.dense_on_whole()
    given = _given(problem, compiled)
    if given is not None:
        runs["given"] = given
    timings = _measure(problem, runs)
    best, winner = compiled, timings["compiled"]
    if rounded is not None and timings["rounded"].median_ms < winner.median_ms:
        best, winner = rounded, timings["rounded"]
    report = replace(
        best.report(),
        compiled_ms=winner,
        dense_ms=timings.get("dense", timings["masked"]),
        masked_ms=timings["masked"],
        given_ms=timings.get("given"),
        reason=_reason(best is rounded, rounded, timings),
    )
    others = [timing.median_ms for name, timing in timings.items() if name in _MODELS]
    if winner.median_ms <= min(others):
        return CompiledModel(best.program, problem.x, report)
    slower = f"the plan takes {winner.median_ms:.3f} ms, the dense model {min(others):.3f} ms"
    return _as_model(problem, masked, given, timings, replace(report, reason=slower))


def ship_model(
    problem: Problem, masked: DenseProgram, report: Report, *, tune: bool
) -> CompiledModel:
    """The model, whose plan cannot be used: as converted, or as given where that is faster."""
    converted = CompiledModel(masked, problem.x, report)
    given = _given(problem, converted) if tune else None
    if given is None:
        return converted
    timings = _measure(problem, {"masked": masked, "given": given})
    return _as_model(problem, masked, given, timings, report)


_MODELS = ("masked", "dense", "given")


def _as_model(
    problem: Problem,
    masked: DenseProgram,
    given: DenseProgram | None,
    timings: dict[str, Timing],
    report: Report,
) -> CompiledModel:
    """The model in the faster of its forms."""
    report = replace(report, plan="dense")
    if given is None or timings["masked"].median_ms <= timings["given"].median_ms:
        return CompiledModel(masked, problem.x, report)
    reason = f"{report.reason}; it is kept as it was given, with PyG's layers"
    return CompiledModel(given, problem.x, replace(report, reason=reason))


def _reason(shipped: bool, rounded: CompiledModel | None, timings: dict[str, Timing]) -> str:
    fastest = "fastest of the measured plans, and no slower than the dense model"
    if rounded is None or shipped:
        return fastest
    took = timings["rounded"].median_ms
    return f"{fastest}; bf16 storage would take {took:.3f} ms"


def _given(problem: Problem, compiled: CompiledModel) -> DenseProgram | None:
    """The model as it was given, unless one call shows that it is far from the fastest."""
    given = problem.as_given()
    if given is None:
        return None
    device = problem.whole.device
    try:
        with torch.inference_mode():
            once = interleaved({"given": given, "compiled": compiled}, rounds=1, device=device)
    except Exception:  # a layer that runs on our graph alone is no peer
        return None
    slow = once["given"].median_ms > _OUT_OF_THE_RACE * once["compiled"].median_ms
    return None if slow else given


def _measure(problem: Problem, runs: Runs) -> dict[str, Timing]:
    """Times of all runs; where the first two are close, of more rounds."""
    device = problem.whole.device
    with torch.inference_mode():
        timings = comparable(
            runs, rounds=_ROUNDS, budget_s=_BUDGET_S, device=device, fill_s=_FILL_S
        )
        first, second = sorted(timing.median_ms for timing in timings.values())[:2]
        if second > _CLOSE * first:
            return timings
        return comparable(
            runs, rounds=2 * _ROUNDS, budget_s=_BUDGET_S, device=device, fill_s=4 * _FILL_S
        )
