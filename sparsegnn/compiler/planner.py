"""Choosing how every unit is executed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from sparsegnn.compiler.candidates import (
    Candidate,
    Sizes,
    can_fuse,
    dense_input_candidates,
    fused_candidate,
    sparse_input_candidates,
    takes_sparse,
)
from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.network import INPUT
from sparsegnn.compiler.report import CandidateReport
from sparsegnn.compiler.timing import comparable
from sparsegnn.compiler.units import Unit

_ROUNDS = 15
_BUDGET_S = 0.5


@dataclass(frozen=True)
class Forms:
    """The features in every form to consider; at least one.

    Attributes:
        sparse: As a `CsrMatrix`, if they are sparse enough to gain from it.
        dense: As a tensor, if they are dense enough or something needs them so.
    """

    sparse: CsrMatrix | None
    dense: Tensor | None

    @property
    def device(self) -> torch.device:
        """Where they are."""
        if self.dense is not None:
            return self.dense.device
        assert self.sparse is not None
        return self.sparse.col.device


@dataclass(frozen=True)
class Choice:
    """The plan of one unit, or of two that are executed as one.

    Attributes:
        units: What it covers.
        chosen: What is executed.
        considered: Everything that was weighed, with its time.
        ms: Time of the chosen candidate, None when not measured.
    """

    units: tuple[Unit, ...]
    chosen: Candidate
    considered: tuple[CandidateReport, ...]
    ms: float | None

    @property
    def reads(self) -> tuple[int, ...]:
        """Values that the steps take, in their order."""
        first, last = self.units[0], self.units[-1]
        return first.inputs if last.residual is None else (*first.inputs, last.residual)

    @property
    def output(self) -> int:
        """The value that it gives."""
        return self.units[-1].output


class Planner:
    """Plans units one after the other, on the activations that the units before them give.

    Args:
        forms: The features.
        sizes: What costs depend on.
        tune: Measure the candidates; else compare their estimated costs.
    """

    def __init__(self, forms: Forms, sizes: Sizes, *, tune: bool) -> None:
        self._forms = forms
        self._sizes = sizes
        self._tune = tune
        self._values: dict[int, Any] = {}

    def plan(self, units: list[Unit]) -> list[Choice]:
        """A choice per unit, or per two that are fused, in the order of execution."""
        choices: list[Choice] = []
        users = _users(units)
        for unit in units:
            options = self._options(unit)
            choice = self._choose((unit,), options)
            before = choices[-1] if choices else None
            if before is not None and self._may_fuse(before, unit, users):
                choice, alone = self._fuse(before, choice)
                choices[-1:] = [] if alone is None else [alone]
            choices.append(choice)
            if self._tune:
                self._values[choice.output] = self._run(choice.chosen, choice.reads)
        return choices

    def _options(self, unit: Unit) -> list[Candidate]:
        sparse = self._forms.sparse
        options: list[Candidate] = []
        if sparse is not None and INPUT in unit.inputs and takes_sparse(unit):
            options += sparse_input_candidates(unit, self._sizes)
        if INPUT not in unit.reads or self._forms.dense is not None:
            options += dense_input_candidates(unit, self._sizes)
        return options

    def _may_fuse(self, before: Choice, unit: Unit, users: dict[int, int]) -> bool:
        first = before.units[0]
        return (
            self._forms.sparse is not None
            and len(before.units) == 1
            and first.inputs == (INPUT,)
            and users[first.output] == 1
            and can_fuse(first, unit)
        )

    def _fuse(self, before: Choice, after: Choice) -> tuple[Choice, Choice | None]:
        """One choice for both units where that is faster, else the later and the earlier one."""
        first, second = before.units[0], after.units[0]
        units = (first, second)
        fused = fused_candidate(first, second, self._sizes)
        steps = before.chosen.steps + after.chosen.steps
        separate = Candidate("both layers, one by one", steps, before.chosen.sparse_input)
        choice = self._choose(units, [separate, fused])
        if choice.chosen is not fused:
            return replace(after, considered=after.considered + choice.considered), before
        details = tuple(
            replace(report, name=f"{part.units[0].name}: {report.name}")
            for part in (before, after)
            for report in part.considered
        )
        return replace(choice, considered=choice.considered + details), None

    def _choose(self, units: tuple[Unit, ...], options: list[Candidate]) -> Choice:
        reads = (*units[0].inputs, *(() if units[-1].residual is None else (units[-1].residual,)))
        measured = self._tune and len(options) > 1
        times = self._measure(options, reads) if measured else [None] * len(options)
        score = [
            candidate.cost if ms is None else ms
            for ms, candidate in zip(times, options, strict=True)
        ]
        best = min(range(len(options)), key=score.__getitem__)
        considered = tuple(
            CandidateReport(candidate.name, candidate.macs, ms)
            for ms, candidate in zip(times, options, strict=True)
        )
        return Choice(units, options[best], considered, times[best])

    def _measure(self, options: list[Candidate], reads: tuple[int, ...]) -> list[float | None]:
        """Milliseconds per option: lower quartiles, which other processes disturb least."""
        runs: dict[str, Callable[[], object]] = {
            str(index): partial(self._run, candidate, reads)
            for index, candidate in enumerate(options)
        }
        device = self._forms.device
        timings = comparable(runs, rounds=_ROUNDS, budget_s=_BUDGET_S, device=device)
        return [timings[name].lower_quartile_ms for name in runs]

    def _run(self, candidate: Candidate, reads: tuple[int, ...]) -> Any:
        return run_steps(candidate, [self._value(value, candidate) for value in reads])

    def _value(self, value: int, candidate: Candidate) -> Any:
        if value != INPUT:
            return self._values[value]
        return self._forms.sparse if candidate.sparse_input else self._forms.dense


def run_steps(candidate: Candidate, inputs: list[Any]) -> Any:
    """Runs a candidate's steps on what its units read."""
    with torch.inference_mode():
        *others, last = candidate.steps
        if not others:
            return last.bind()(*inputs)
        h = inputs[0]
        for step in others:
            h = step.bind()(h)
        return last.bind()(h, *inputs[1:])


def _users(units: list[Unit]) -> dict[int, int]:
    users: dict[int, int] = {}
    for unit in units:
        for value in unit.reads:
            users[value] = users.get(value, 0) + 1
    return users
