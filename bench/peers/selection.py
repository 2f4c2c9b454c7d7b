"""Masks of the k largest scores by other means."""

from __future__ import annotations

from collections.abc import Callable

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
