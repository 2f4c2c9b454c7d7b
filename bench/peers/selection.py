"""Selections and mask updates by other means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


def topk(scores: Tensor, k: int) -> Callable[[], Tensor]:
    """`torch.topk` (unsorted) and a scatter."""

    def run() -> Tensor:
        kept = torch.topk(scores, k, sorted=False).indices
        return torch.zeros_like(scores, dtype=torch.bool).index_fill_(0, kept, True)

    return run


def kthvalue(scores: Tensor, k: int) -> Callable[[], Tensor]:
    """`torch.kthvalue` as a threshold: keeps more than k when scores tie."""
    return lambda: scores >= torch.kthvalue(scores, scores.numel() - k + 1).values


def partition(scores: Tensor, k: int) -> Callable[[], Tensor]:
    """`numpy.partition` as a threshold: keeps more than k when scores tie."""
    values = scores.numpy()
    position = scores.numel() - k
    return lambda: torch.from_numpy(values >= np.partition(values, position)[position])


def sort(scores: Tensor, k: int) -> Callable[[], Tensor]:
    """A full sort as a threshold, as the reference implementations prune."""
    return lambda: scores >= torch.sort(scores).values[scores.numel() - k]


@dataclass
class Slots:
    """What a mask update changes."""

    mask: Tensor
    weight: Tensor
    state: list[Tensor]

    def clone(self) -> Slots:
        """A copy of every tensor."""
        return Slots(self.mask.clone(), self.weight.clone(), [t.clone() for t in self.state])

    def equals(self, other: Slots) -> bool:
        """Whether every tensor is the same."""
        mine, theirs = ((s.mask, s.weight, *s.state) for s in (self, other))
        return all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))


def drop_and_grow(slots: Slots, grad: Tensor, k: int) -> None:
    """A RigL update without regrowth by two `torch.topk` and fills, in place."""
    active = slots.weight.abs().masked_fill_(~slots.mask, float("inf"))
    dropped = torch.topk(active, k, largest=False, sorted=False).indices
    candidates = grad.abs().masked_fill_(slots.mask, -1.0)
    grown = torch.topk(candidates, k, sorted=False).indices
    for tensor in (slots.weight, *slots.state):
        tensor.index_fill_(0, dropped, 0.0).index_fill_(0, grown, 0.0)
    slots.mask.index_fill_(0, dropped, False).index_fill_(0, grown, True)
