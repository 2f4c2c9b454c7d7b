"""Plans that are made on request and kept where they are faster than the plan without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from sparsegnn.compiler.report import VariantReport
from sparsegnn.compiler.timing import comparable

if TYPE_CHECKING:
    from sparsegnn.compiler.pipeline import Plan

_ROUNDS = 21
_BUDGET_S = 1.0


def measured(
    name: str, variant: Plan, plain: Plan, device: torch.device
) -> tuple[Plan, VariantReport]:
    """The faster of two plans, by the times of their programs, and what to report."""
    programs: dict[str, Any] = {"variant": variant.program, "plain": plain.program}
    with torch.inference_mode():
        times = comparable(programs, rounds=_ROUNDS, budget_s=_BUDGET_S, device=device)
    ms, without = times["variant"].median_ms, times["plain"].median_ms
    kept = ms < without
    reason = "as it is faster" if kept else "as it is no faster"
    return (variant if kept else plain), VariantReport(name, kept, reason, ms, without)
