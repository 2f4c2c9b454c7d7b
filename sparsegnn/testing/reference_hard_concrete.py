"""Hard concrete gates, one at a time in Python floats."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sparsegnn.testing.reference_dropout import philox


def reference_hard_concrete(
    logits: Tensor,
    seed: int | None,
    beta: float = 2 / 3,
    gamma: float = -0.1,
    zeta: float = 1.1,
) -> tuple[Tensor, Tensor]:
    """Gates and slopes of `sparsegnn.ops.hard_concrete`; without a seed those of evaluation."""
    gates, slopes = [], []
    for k, logit in enumerate(logits.double().tolist()):
        scale, x = 1.0, logit
        if seed is not None:
            u = ((philox(seed % 2**64, k // 4)[k % 4] >> 9) + 0.5) / 2**23
            scale, x = 1 / beta, (math.log(u) - math.log1p(-u) + logit) / beta
        s = 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
        z = s * (zeta - gamma) + gamma
        gates.append(z if math.isnan(z) else min(1.0, max(0.0, z)))
        slopes.append((zeta - gamma) * s * (1 - s) * scale if 0 < z < 1 else 0.0)
    return torch.tensor(gates, dtype=torch.float64), torch.tensor(slopes, dtype=torch.float64)
