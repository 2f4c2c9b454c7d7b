"""Nothing wrong is timed: alternatives are compared with a float64 result first."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from bench.gpu.bars import OURS
from sparsegnn.testing import TOLERANCES

Run = Callable[[], Tensor]


def checked(
    alternatives: Mapping[str, Run], expected: Tensor, dtype: torch.dtype
) -> dict[str, Run]:
    """Keeps the alternatives that run; a wrong result is an error.

    Peers may lack a dtype or index type on this device, or the memory: torch then raises
    RuntimeError, and the alternative is left out of the record.
    """
    kept = {}
    scale = max(1.0, float(expected.abs().max())) if expected.numel() else 1.0
    for name, run in alternatives.items():
        try:
            result = run().detach()
        except (RuntimeError, NotImplementedError) as error:
            if name == OURS:
                raise
            print(f"  {name} does not run here: {str(error).splitlines()[0][:100]}")
            continue
        error_size = float((result.double() - expected).abs().max()) / scale
        if error_size > 4 * TOLERANCES[dtype]:
            raise AssertionError(f"{name} is off by {error_size:.2e} of the largest result")
        kept[name] = run
    return kept
