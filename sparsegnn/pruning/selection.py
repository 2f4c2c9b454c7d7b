"""Exact selection: how many to keep after a round, and which.

Counts. ``keep_count(total, rate, rounds)`` is ``total * (1 - rate) ** rounds`` rounded to the
nearest integer, halves up. A round removes the difference to the round before, so rounding never
accumulates: the sparsity after any round is the nominal ``1 - (1 - rate) ** rounds`` to within
half an element.

Ties. Equal scores are ordered by lowest index, or, with a seed, by a permutation drawn from that
seed alone. NaN scores rank below every number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from sparsegnn import ops


def keep_count(total: int, rate: float, rounds: int) -> int:
    """Number of elements kept after ``rounds`` rounds that each remove the share ``rate``.

    Args:
        total: elements before the first round, at least 0.
        rate: in [0, 1).
        rounds: at least 0.

    Raises:
        ValueError: if an argument is out of range.
    """
    if total < 0:
        raise ValueError(f"total must be at least 0, got {total}")
    if not 0.0 <= rate < 1.0:
        raise ValueError(f"rate must be in [0, 1), got {rate}")
    if rounds < 0:
        raise ValueError(f"rounds must be at least 0, got {rounds}")
    return math.floor(total * (1.0 - rate) ** rounds + 0.5)


def select_top(scores: Sequence[Tensor], keep: int, seed: int | None = None) -> list[Tensor]:
    """Keep the ``keep`` largest scores over all tensors together.

    Args:
        scores: floating-point tensors of any shapes, on one device.
        keep: how many to keep, from 0 to the number of elements.
        seed: orders equal scores by a seeded permutation; None takes the lowest index first,
            counted through the tensors in the order given.

    Returns:
        One bool tensor per score tensor, same shape, with ``keep`` true entries in all.

    Raises:
        ValueError: if ``keep`` is out of range.
    """
    total = sum(score.numel() for score in scores)
    if not 0 <= keep <= total:
        raise ValueError(f"keep must be in [0, {total}], got {keep}")
    if total == 0:
        return [torch.zeros_like(score, dtype=torch.bool) for score in scores]
    flat = torch.cat([score.detach().reshape(-1) for score in scores])
    kept = _select_flat(flat, keep, seed)
    parts = kept.split([score.numel() for score in scores])
    return [part.view(score.shape) for part, score in zip(parts, scores, strict=True)]


def select_random(totals: Sequence[int], keep: Sequence[int], seed: int) -> list[Tensor]:
    """Keep ``keep[i]`` of ``totals[i]`` elements uniformly at random, for every i on its own.

    Returns:
        One bool tensor ``[totals[i]]`` each, on the CPU; a function of the arguments only.
    """
    generator = torch.Generator().manual_seed(seed)
    masks = []
    for total, count in zip(totals, keep, strict=True):
        if not 0 <= count <= total:
            raise ValueError(f"keep must be in [0, {total}], got {count}")
        mask = torch.zeros(total, dtype=torch.bool)
        mask[torch.randperm(total, generator=generator)[:count]] = True
        masks.append(mask)
    return masks


def _select_flat(flat: Tensor, keep: int, seed: int | None) -> Tensor:
    if seed is None:
        return ops.topk_mask([flat], keep)[0]
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(flat.numel(), generator=generator).to(flat.device)
    kept = torch.empty_like(flat, dtype=torch.bool)
    kept[order] = ops.topk_mask([flat[order]], keep)[0]
    return kept
