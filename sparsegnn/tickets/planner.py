"""Choosing how every layer is executed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from sparsegnn.tickets.candidates import (
    Candidate,
    Layer,
    dense_input_candidates,
    fused_candidate,
    sparse_input_candidates,
)
from sparsegnn.tickets.report import CandidateReport
from sparsegnn.tickets.steps import CsrMatrix
from sparsegnn.tickets.timing import comparable

# Sparse features are considered up to this density, dense ones from the second on.
SPARSE_UP_TO = 0.5
DENSE_FROM = 0.0625

_ROUNDS = 15
_BUDGET_S = 0.5


@dataclass(frozen=True)
class Choice:
    """The plan of one layer, or of the first two when they are fused.

    Attributes:
        first_layer: Index of the first layer that it covers.
        chosen: What is executed.
        considered: Everything that was weighed, with its time.
        ms: Time of the chosen candidate, None when not measured.
    """

    first_layer: int
    chosen: Candidate
    considered: tuple[CandidateReport, ...]
    ms: float | None


def plan_layers(
    layers: list[Layer], features: list[CsrMatrix | Tensor], *, tune: bool
) -> tuple[CsrMatrix | Tensor, list[Choice]]:
    """Chooses a plan per layer, on the activations that the layers before it give.

    Args:
        layers: Compacted layers in order.
        features: The input in every form to consider, sparse or dense.
        tune: Measure the candidates; else compare their estimated costs.

    Returns:
        The chosen form of the input and the choices, which cover all layers in order.
    """
    options = [(form, candidate) for form in features for candidate in _candidates(layers[0], form)]
    form, choice = _choose(0, options, tune)
    choices = [choice]
    h: Any = form
    for index, layer in enumerate(layers[1:], start=1):
        h = run_steps(choices[-1].chosen, h)
        _, choice = _choose(index, [(h, c) for c in dense_input_candidates(layer)], tune)
        choices.append(choice)
    if isinstance(form, CsrMatrix) and _can_fuse(layers):
        choices = _fuse(layers, form, choices, tune)
    return form, choices


def _can_fuse(layers: list[Layer]) -> bool:
    return len(layers) > 1 and layers[0].weight.numel() > 0


def _fuse(layers: list[Layer], form: CsrMatrix, choices: list[Choice], tune: bool) -> list[Choice]:
    """Replaces the first two choices by one fused plan when that is faster."""
    first, second = choices[:2]
    separate = Candidate(
        "both layers, one by one",
        first.chosen.sizes + second.chosen.sizes,
        first.chosen.steps + second.chosen.steps,
    )
    fused = fused_candidate(layers[0], layers[1], form.nnz)
    _, choice = _choose(0, [(form, separate), (form, fused)], tune)
    if choice.chosen is not fused:
        return [replace(first, considered=first.considered + choice.considered), *choices[1:]]
    details = tuple(
        replace(report, name=f"layer {part.first_layer}: {report.name}")
        for part in (first, second)
        for report in part.considered
    )
    return [replace(choice, considered=choice.considered + details), *choices[2:]]


def run_steps(candidate: Candidate, h: Any) -> Any:
    """Runs a candidate's steps on its input."""
    with torch.inference_mode():
        for step in candidate.steps:
            h = step.bind()(h)
    return h


def _candidates(layer: Layer, form: CsrMatrix | Tensor) -> list[Candidate]:
    if isinstance(form, CsrMatrix):
        return list(sparse_input_candidates(layer, form.nnz))
    return list(dense_input_candidates(layer))


def _choose(
    first_layer: int, options: list[tuple[Any, Candidate]], tune: bool
) -> tuple[Any, Choice]:
    times = _measure(options) if tune else [None] * len(options)
    score = [
        candidate.cost if ms is None else ms
        for ms, (_, candidate) in zip(times, options, strict=True)
    ]
    best = min(range(len(options)), key=score.__getitem__)
    considered = tuple(
        CandidateReport(candidate.name, candidate.macs, ms)
        for ms, (_, candidate) in zip(times, options, strict=True)
    )
    form, chosen = options[best]
    return form, Choice(first_layer, chosen, considered, times[best])


def _measure(options: list[tuple[Any, Candidate]]) -> list[float | None]:
    """Milliseconds per option: lower quartiles, which other processes disturb least."""
    runs: dict[str, Callable[[], object]] = {
        str(index): partial(run_steps, candidate, form)
        for index, (form, candidate) in enumerate(options)
    }
    device = next(options[0][1].steps[0].buffers()).device
    timings = comparable(runs, rounds=_ROUNDS, budget_s=_BUDGET_S, device=device)
    return [timings[name].lower_quartile_ms for name in runs]
