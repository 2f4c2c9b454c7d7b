"""Dropout whose random bits cost little on the CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sparsegnn import ops

_STEPS = 2**16


def dropout(x: Tensor, p: float, training: bool = True) -> Tensor:
    """Zeroes each entry with probability p and scales the others so that the mean is kept.

    On the CPU `torch.nn.functional.dropout` draws one Bernoulli variable an entry on one thread,
    which takes longer than the layers around it. Here one 64-bit word of torch's generator decides
    four entries: p is rounded to a multiple of 2^-16, and the scale belongs to the rounded p.

    Args:
        x: Any shape, floating point.
        p: Probability in [0, 1].
        training: Whether to drop at all.

    Returns:
        A tensor like x. Reproducible through `torch.manual_seed`; other draws than torch's own.
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"p must lie in [0, 1], got {p}.")
    if not training or p == 0.0:
        return x
    if x.device.type != "cpu":
        return nn.functional.dropout(x, p)
    kept_steps = round((1.0 - p) * _STEPS)
    if kept_steps == _STEPS:
        return x
    if kept_steps == 0:
        return x * 0.0
    words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    draws = words.view(torch.int16)[: x.numel()].view(x.shape)
    keep = draws < kept_steps - _STEPS // 2
    return x * keep.to(x.dtype).mul_(_STEPS / kept_steps)


class Dropout(nn.Dropout):
    """`torch.nn.Dropout` with masks that are drawn fast, on every thread, and never stored.

    A mask is a function of a seed (`sparsegnn.ops.dropout`), drawn again in the backward pass.
    Reproducible through `torch.manual_seed`; other draws than torch's own.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Drops entries in training; the input itself in evaluation."""
        if not self.training or self.p == 0.0:
            return input
        return ops.dropout(input, self.p)
