"""What `torch.autocast` asks of our operators: features in its dtype, edge values left as they are.

`torch.library.register_autocast` would cast every tensor of a call, and with them the edge values,
scales and biases, which stay float32 beside features of 16 bits. The public functions of matrix
products therefore cast their features themselves.
"""

from __future__ import annotations

import torch
from torch import Tensor

_DEVICES = ("cpu", "cuda")
_CAST = (torch.float32, torch.float16, torch.bfloat16)


def autocast(x: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Under autocast x in its dtype, or in `dtype`; otherwise, and in float64, x as it is."""
    kind = x.device.type
    if x.dtype not in _CAST or kind not in _DEVICES or not torch.is_autocast_enabled(kind):
        return x
    return x.to(dtype or torch.get_autocast_dtype(kind))


def without_autocast(device: torch.device) -> torch.autocast:
    """A context in which products take their operands as they are."""
    return torch.autocast(device.type, enabled=False)
