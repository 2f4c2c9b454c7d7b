"""One tolerance per storage type, relative to the size of the sums that were taken."""

from __future__ import annotations

import torch
from torch import Tensor

# Rounding of the stored inputs and outputs dominates for 16-bit types, the sums for the others.
TOLERANCES = {
    torch.float64: 1e-12,
    torch.float32: 2e-5,
    torch.float16: 4e-3,
    torch.bfloat16: 3e-2,
}


def assert_close(actual: Tensor, expected: Tensor, dtype: torch.dtype | None = None) -> None:
    """Asserts equality within the tolerance of `dtype`, by default that of `actual`.

    The bound on every element is the tolerance times the largest finite magnitude expected, at
    least one; NaN and infinities must agree exactly.
    """
    tolerance = TOLERANCES[dtype or actual.dtype]
    finite = expected[expected.isfinite()]
    scale = max(1.0, float(finite.abs().max()) if finite.numel() else 1.0)
    torch.testing.assert_close(
        actual.double(), expected.double(), rtol=0.0, atol=tolerance * scale, equal_nan=True
    )
