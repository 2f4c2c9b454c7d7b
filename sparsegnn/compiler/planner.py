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
    can_fuse,
    dense_input_candidates,
    fused_candidate,
    sparse_input_candidates,
    takes_sparse,
)
from sparsegnn.compiler.costs import estimated_ms
from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.network import INPUT
from sparsegnn.compiler.report import CandidateReport
from sparsegnn.compiler.sizes import Sizes
from sparsegnn.compiler.timing import comparable
from sparsegnn.compiler.units import Unit

_ROUNDS = 15
_BUDGET_S = 0.5
_FILL_S = 0.01

# Candidates that are expected to take longer than this times the best are not measured.
_NEAR = 4.0
_SLACK_MS = 0.02


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

    @property
    def dtype(self) -> torch.dtype:
        """Of their values."""
        if self.dense is not None:
            return self.dense.dtype
        assert self.sparse is not None
        return self.sparse.value.dtype


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
        tune: Measure the candidates; else compare their expected times.
        result: The value that is the result; it is stored in the dtype of the model.
    """

    def __init__(
        self, forms: Forms, sizes: Sizes, *, tune: bool, result: int | None = None
    ) -> None:
        self._forms = forms
        self._sizes = sizes
        self._tune = tune
        self._result = result
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
            options += sparse_input_candidates(unit, self._sizes_of(unit))
        if INPUT not in unit.reads or self._forms.dense is not None:
            options += dense_input_candidates(unit, self._sizes_of(unit))
        return options

    def _sizes_of(self, unit: Unit) -> Sizes:
        """With the dtype that the unit gives."""
        if self._sizes.storage is None or unit.output != self._result:
            return self._sizes.within()
        return replace(self._sizes, store=torch.float32)

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
        fused = fused_candidate(first, second, self._sizes_of(second))
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
        times: dict[int, float] = {}
        best = 0
        if len(options) > 1:
            expected = [self._expected(candidate) for candidate in options]
            best = min(range(len(options)), key=expected.__getitem__)
            if self._tune:
                limit = _NEAR * expected[best] + _SLACK_MS
                near = [index for index, ms in enumerate(expected) if ms <= limit]
                times = self._measure({index: options[index] for index in near}, reads)
                best = min(times, key=times.__getitem__)
        considered = tuple(
            CandidateReport(candidate.name, candidate.macs, times.get(index))
            for index, candidate in enumerate(options)
        )
        return Choice(units, options[best], considered, times.get(best))

    def _expected(self, candidate: Candidate) -> float:
        return estimated_ms(candidate.steps, self._forms.dtype, self._forms.device)

    def _measure(self, options: dict[int, Candidate], reads: tuple[int, ...]) -> dict[int, float]:
        """Milliseconds per option: lower quartiles, which other processes disturb least."""
        runs: dict[str, Callable[[], object]] = {
            str(index): partial(bound(candidate), *self._inputs(candidate, reads))
            for index, candidate in options.items()
        }
        device = self._forms.device
        with torch.inference_mode():
            timings = comparable(
                runs, rounds=_ROUNDS, budget_s=_BUDGET_S, device=device, fill_s=_FILL_S
            )
        return {index: timings[str(index)].lower_quartile_ms for index in options}

    def _run(self, candidate: Candidate, reads: tuple[int, ...]) -> Any:
        return run_steps(candidate, self._inputs(candidate, reads))

    def _inputs(self, candidate: Candidate, reads: tuple[int, ...]) -> list[Any]:
        features = self._forms.sparse if candidate.sparse_input else self._forms.dense
        return [features if value == INPUT else self._values[value] for value in reads]


def run_steps(candidate: Candidate, inputs: list[Any]) -> Any:
    """Runs a candidate's steps on what its units read."""
    with torch.inference_mode():
        return bound(candidate)(*inputs)


def bound(candidate: Candidate) -> Callable[..., Any]:
    """A candidate's steps as one function of what its units read."""
    *others, last = [step.bind() for step in candidate.steps]
    if not others:
        return last

    def run(h: Any, *more: Any) -> Any:
        for step in others:
            h = step(h)
        return last(h, *more)

    return run


def _users(units: list[Unit]) -> dict[int, int]:
    users: dict[int, int] = {}
    for unit in units:
        for value in unit.reads:
            users[value] = users.get(value, 0) + 1
    return users
