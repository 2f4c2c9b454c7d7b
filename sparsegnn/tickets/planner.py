"""Choosing how every layer is executed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from sparsegnn.tickets.candidates import (
    Candidate,
    Layer,
    dense_input_candidates,
    sparse_input_candidates,
)
from sparsegnn.tickets.report import CandidateReport
from sparsegnn.tickets.steps import CsrMatrix
from sparsegnn.tickets.timing import interleaved

# Sparse features are considered up to this density, dense ones from the second on.
SPARSE_UP_TO = 0.5
DENSE_FROM = 0.0625

_ROUNDS = 15
_BUDGET_S = 0.5


@dataclass(frozen=True)
class Choice:
    """The plan of one layer, and what else was considered."""

    chosen: Candidate
    considered: tuple[CandidateReport, ...]


def plan_layers(
    layers: list[Layer], features: list[CsrMatrix | Tensor], *, tune: bool
) -> tuple[CsrMatrix | Tensor, list[Choice]]:
    """Chooses a plan per layer, on the activations that the layers before it give.

    Args:
        layers: Compacted layers in order.
        features: The input in every form to consider, sparse or dense.
        tune: Measure the candidates; else compare their estimated costs.

    Returns:
        The chosen form of the input and one choice per layer.
    """
    with torch.inference_mode():
        first = [
            (form, candidate) for form in features for candidate in _candidates(layers[0], form)
        ]
        form, choice = _choose(first, tune)
        choices = [choice]
        h: Any = form
        for layer in layers[1:]:
            h = run_steps(choices[-1].chosen, h)
            _, choice = _choose([(h, c) for c in dense_input_candidates(layer)], tune)
            choices.append(choice)
    return form, choices


def run_steps(candidate: Candidate, h: Any) -> Any:
    """Runs a candidate's steps on its input."""
    for step in candidate.steps:
        h = step.bind()(h)
    return h


def _candidates(layer: Layer, form: CsrMatrix | Tensor) -> list[Candidate]:
    if isinstance(form, CsrMatrix):
        return list(sparse_input_candidates(layer, form.nnz))
    return list(dense_input_candidates(layer))


def _choose(options: list[tuple[Any, Candidate]], tune: bool) -> tuple[Any, Choice]:
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
    return form, Choice(chosen, considered)


def _measure(options: list[tuple[Any, Candidate]]) -> list[float | None]:
    """Milliseconds per option: lower quartiles, which another process on the machine moves least."""
    runs: dict[str, Callable[[], object]] = {
        str(index): partial(run_steps, candidate, form)
        for index, (form, candidate) in enumerate(options)
    }
    device = next(options[0][1].steps[0].buffers()).device
    timings = interleaved(runs, rounds=_ROUNDS, budget_s=_BUDGET_S, device=device)
    return [timings[name].lower_quartile_ms for name in runs]
