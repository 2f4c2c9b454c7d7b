"""Slow, obvious references of the selections. They share no code with the kernels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


def _ranked(positions: Iterable[int], scores: Sequence[float]) -> list[int]:
    """Positions by score, largest first, equal ones by position, NaN last."""
    return sorted(
        positions,
        key=lambda i: (scores[i] != scores[i], -scores[i] if scores[i] == scores[i] else 0.0, i),
    )


def reference_drop_and_grow(
    mask: Tensor,
    weight: Tensor,
    state: Sequence[Tensor],
    grow_score: Tensor,
    k: int,
    *,
    drop_score: Tensor | None = None,
    init: Tensor | None = None,
    magnitude: bool = False,
    regrow: bool = True,
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """`sparsegnn.ops.drop_and_grow_` by sorting Python lists; returns new tensors."""
    drop = weight.abs() if drop_score is None else drop_score
    if magnitude:
        drop, grow_score = drop.abs(), grow_score.abs()
    drops, grows = (score.double().reshape(-1).tolist() for score in (drop, grow_score))
    active = [i for i, value in enumerate(mask.reshape(-1).tolist()) if value]
    inactive = [i for i, value in enumerate(mask.reshape(-1).tolist()) if not value]
    k = min(k, len(active), len(active) if regrow else len(inactive))
    ranked = _ranked(active, drops)
    kept, dropped = ranked[: len(active) - k], ranked[len(active) - k :]
    grown = _ranked(sorted(inactive + dropped) if regrow else inactive, grows)[:k]
    now = set(kept) | set(grown)
    new_mask, new_weight = mask.clone(), weight.clone()
    new_state = [tensor.clone() for tensor in state]
    for i in range(mask.numel()):
        if (i in now) == (i in set(active)):
            continue
        new_mask.view(-1)[i] = i in now
        started = init.reshape(-1)[i] if init is not None and i in now else 0.0
        new_weight.view(-1)[i] = started
        for tensor in new_state:
            tensor.view(-1)[i] = 0
    return new_mask, new_weight, new_state


def reference_grow_positions(score: Tensor, active: Tensor, k: int) -> Tensor:
    """Positions of the k largest scores that are not active, ascending."""
    inactive = [i for i, value in enumerate(active.reshape(-1).tolist()) if not value]
    chosen = _ranked(inactive, score.double().reshape(-1).tolist())[:k]
    return torch.tensor(sorted(chosen), dtype=torch.int64)
