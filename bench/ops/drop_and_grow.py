"""In-place mask updates of dynamic sparse training."""

from __future__ import annotations

from functools import partial

import torch

import sparsegnn as sg
from bench.cases import OURS, Builders, Case, MismatchError
from bench.peers.selection import Slots, drop_and_grow

SIZES = (10_000_000, 1_000_000)
DENSITY = 0.10
EXCHANGED = 0.30  # of the active weights


def cases() -> Builders:
    """Every size."""
    return {f"drop-and-grow/n={size}": partial(update, size) for size in SIZES}


def update(size: int) -> Case:
    """Exchanges 30 % of the active weights by gradient; Adam's two moments follow.

    Every call continues from the one before it; the first is compared here.
    """
    generator = torch.Generator().manual_seed(7)
    mask = torch.rand(size, generator=generator) < DENSITY
    weight = torch.randn(size, generator=generator) * mask
    moments = [torch.rand(size, generator=generator) * mask for _ in range(2)]
    grad = torch.randn(size, generator=generator)
    k = int(EXCHANGED * DENSITY * size)
    start = Slots(mask, weight, moments)
    ours, composite = start.clone(), start.clone()

    def run_ours() -> None:
        sg.ops.drop_and_grow_(
            ours.mask, ours.weight, ours.state, grad, k, magnitude=True, regrow=False
        )

    def run_composite() -> None:
        drop_and_grow(composite, grad, k)

    run_ours()
    run_composite()
    if not ours.equals(composite):
        raise MismatchError("drop-and-grow: the alternatives differ after one update.")
    return Case(
        name=f"drop-and-grow/n={size}",
        alternatives={OURS: run_ours, "torch composite": run_composite},
        params={"n": size, "k": k, "density": DENSITY},
        note="The composite is topk on |w|, topk on |g| and index_fill_ of mask, weight, moments.",
    )
