"""Slow, obvious references of the masks of linear layers. They share no code with the package."""

from __future__ import annotations

import torch
from torch import Tensor


def reference_nm_mask(weight: Tensor, n: int, m: int) -> Tensor:
    """`sparsegnn.ops.nm_mask` by a Python sort on (is NaN, -magnitude, position)."""
    keep = torch.zeros(weight.shape, dtype=torch.bool)
    for row in range(weight.shape[0]):
        values = weight[row].double().tolist()
        for start in range(0, len(values), m):
            group = range(start, start + m)
            numbers = [i for i in group if values[i] == values[i]]
            nans = [i for i in group if values[i] != values[i]]
            numbers.sort(key=lambda i: (-abs(values[i]), i))
            keep[row, (numbers + nans)[:n]] = True
    return keep
