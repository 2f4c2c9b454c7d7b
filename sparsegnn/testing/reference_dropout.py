"""Which elements drop, one counter at a time in Python integers."""

from __future__ import annotations

import torch
from torch import Tensor

_WORD = 2**32 - 1


def philox(seed: int, counter: int, high: int = 0) -> list[int]:
    """The four 32-bit words of Philox4x32-10 (Salmon et al., SC 2011), a 128-bit counter."""
    key = [seed & _WORD, (seed >> 32) & _WORD]
    c = [counter & _WORD, (counter >> 32) & _WORD, high & _WORD, (high >> 32) & _WORD]
    for _ in range(10):
        left, right = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [
            (right >> 32) ^ c[1] ^ key[0],
            right & _WORD,
            (left >> 32) ^ c[3] ^ key[1],
            left & _WORD,
        ]
        key = [(key[0] + 0x9E3779B9) & _WORD, (key[1] + 0xBB67AE85) & _WORD]
    return c


def reference_dropout(
    x: Tensor, p: float, seed: int, *, bias: Tensor | None = None, relu: bool = False
) -> Tensor:
    """`sparsegnn.ops.dropout` in float64."""
    threshold = int((1 - p) * 65536 + 0.5)
    out = torch.zeros(x.numel(), dtype=torch.float64)
    shifted = x.double() if bias is None else x.double() + bias.double()
    flat = (shifted.clamp(min=0) if relu else shifted).reshape(-1)
    for k in range(x.numel()):
        word = philox(seed % 2**64, k // 8)[k // 2 % 4]
        if (word >> 16 * (k % 2)) & 0xFFFF < threshold:
            out[k] = flat[k] * (65536 / threshold)
    return out.reshape(x.shape)
