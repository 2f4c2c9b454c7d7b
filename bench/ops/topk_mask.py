"""Exact selection of the k largest scores."""

from __future__ import annotations

from functools import partial

import torch

import sparsegnn as sg
from bench.cases import OURS, Builders, Case
from bench.peers import selection

SIZES = (10_000_000, 1_000_000)
KEPT = 0.10


def cases() -> Builders:
    """Every size."""
    return {f"topk-mask/n={size}": partial(largest, size) for size in SIZES}


def largest(size: int) -> Case:
    """Mask of the 10 % largest of `size` magnitudes, at a k where no two scores tie."""
    scores = torch.randn(size, generator=torch.Generator().manual_seed(5)).abs()
    k = _untied(scores, int(KEPT * size))
    threshold = scores.sort(descending=True).values[k - 1]
    return Case(
        name=f"topk-mask/n={size}",
        alternatives={
            OURS: lambda: sg.ops.topk_mask([scores], k)[0],
            "torch.topk": selection.topk(scores, k),
            "torch.kthvalue": selection.kthvalue(scores, k),
            "torch.sort": selection.sort(scores, k),
            "numpy.partition": selection.partition(scores, k),
        },
        params={"n": size, "k": k},
        reference=lambda: (scores >= threshold,),
        tolerance=0.0,
        note="All but torch.topk and ours keep too many scores when they tie; here none do.",
    )


def _untied(scores: torch.Tensor, k: int) -> int:
    """The first k' >= k whose k'-th and next scores differ."""
    ordered = scores.sort(descending=True).values
    while bool(ordered[k - 1] == ordered[k]):
        k += 1
    return k
