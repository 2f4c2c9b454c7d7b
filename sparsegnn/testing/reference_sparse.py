"""Slow, obvious references of the operators on sparse rows. They share no code with the kernels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_Row = dict[int, float]


def reference_topk_rows(x: Tensor, k: int, magnitude: bool = False) -> tuple[Tensor, Tensor]:
    """Values and int64 columns of `sparsegnn.ops.topk_rows`, by a Python sort of every row."""
    ids = torch.zeros(x.shape[0], k, dtype=torch.int64)
    for i, row in enumerate(x.double().tolist()):
        scores = [abs(value) if magnitude else value for value in row]
        numbers = [j for j, score in enumerate(scores) if not math.isnan(score)]
        numbers.sort(key=lambda j: (-scores[j], j))
        nans = [j for j, score in enumerate(scores) if math.isnan(score)]
        ids[i] = torch.tensor(sorted((numbers + nans)[:k]), dtype=torch.int64)
    return x.gather(1, ids), ids


def reference_spgemm(
    a: list[dict[int, float]], b: list[dict[int, float]]
) -> list[dict[int, float]]:
    """`sparsegnn.ops.spgemm(out="csr")` of rows given as {column: value}, by nested loops."""
    product = []
    for row in a:
        sums: _Row = {}
        for j, left in row.items():
            for k, right in b[j].items():
                sums[k] = sums.get(k, 0.0) + left * right
        product.append(dict(sorted(sums.items())))
    return product
