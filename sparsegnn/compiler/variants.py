"""Plans that are made on request and kept where they are faster than the plan without."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from sparsegnn.compiler.costs import estimated_ms
from sparsegnn.compiler.features import used_columns
from sparsegnn.compiler.fold import simplified
from sparsegnn.compiler.network import Network
from sparsegnn.compiler.reorder import ordering
from sparsegnn.compiler.report import VariantReport
from sparsegnn.compiler.stored import stored_features
from sparsegnn.compiler.timing import comparable

if TYPE_CHECKING:
    from sparsegnn.compiler.pipeline import Plan, Problem

RESTRICTED = "only the nodes that the requested ones depend on"
STORED = "features aggregated at compile time"

_ROUNDS = 21
_BUDGET_S = 1.0

Variants = tuple[VariantReport, ...]


def best_plan(
    problem: Problem, captured: Network, make: Callable[..., Plan], *, tune: bool
) -> tuple[Plan, Variants]:
    """The plan, or one that was asked for where it is faster.

    Args:
        problem: Says what was asked for.
        captured: The network of the model.
        make: Makes a plan; takes `whole`, `stored`, where to start from, and `order`.
        tune: Measure; else stored values are judged by expected times, and an order is kept.
    """
    plan, device = make(), problem.whole.device
    reports: list[VariantReport] = []
    if problem.nodes is not None and tune:
        plan, report = _measured(RESTRICTED, plan, make(whole=True), device)
        make = partial(make, whole=not report.kept)
        reports.append(report)
    stored = None
    if problem.fixed_features:
        network = simplified(captured, used_columns(problem.x))
        stored = stored_features(network, problem.x)
        if stored is None:
            reports.append(VariantReport(STORED, False, "as a weight is the first to read them"))
        else:
            chosen = _measured if tune else _estimated
            plan, report = chosen(STORED, make(stored=stored), plan, device)
            stored = stored if report.kept else None
            reports.append(report)
    if problem.reorder is not None:
        order = ordering(problem.pruned, problem.reorder)
        other, name = make(stored=stored, order=order), f"order {problem.reorder}"
        if tune:
            plan, report = _measured(name, other, plan, device)
        else:
            plan, report = other, VariantReport(name, True, "not measured")
        reports.append(report)
    return plan, tuple(reports)


def _measured(
    name: str, variant: Plan, plain: Plan, device: torch.device
) -> tuple[Plan, VariantReport]:
    """The faster of two plans, by the times of their programs, and what to report."""
    programs: dict[str, Any] = {"variant": variant.program, "plain": plain.program}
    with torch.inference_mode():
        times = comparable(programs, rounds=_ROUNDS, budget_s=_BUDGET_S, device=device)
    ms, without = times["variant"].median_ms, times["plain"].median_ms
    reason = "as it is faster" if ms < without else "as it is no faster"
    return _chosen(name, variant, plain, reason, ms < without, ms, without)


def _estimated(
    name: str, variant: Plan, plain: Plan, device: torch.device
) -> tuple[Plan, VariantReport]:
    """The plan of the lower expected time, by the rates of float32, and what to report."""
    cost, without = (
        sum(estimated_ms(choice.chosen.steps, torch.float32, device) for choice in plan.choices)
        for plan in (variant, plain)
    )
    kept = cost < without
    reason = f"estimated to be {'faster' if kept else 'no faster'}, not measured"
    return _chosen(name, variant, plain, reason, kept)


def _chosen(
    name: str,
    variant: Plan,
    plain: Plan,
    reason: str,
    kept: bool,
    ms: float | None = None,
    without: float | None = None,
) -> tuple[Plan, VariantReport]:
    sizes = variant.program.feature_bytes, plain.program.feature_bytes
    report = VariantReport(name, kept, reason, ms, without, *sizes)
    return (variant if kept else plain), report
