"""Products with sparse weights, alternative by alternative."""

from __future__ import annotations

import pytest

from bench.ops import sparse_linear
from bench.ops.conftest import Check

NAMES = (
    "sparsegnn",
    "dense",
    "torch.sparse CSR(W) x^T",
    "torch.sparse CSR(W) int32 x^T",
    "torch.sparse x CSR(W^T)",
    "torch.sparse linear",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("zeros", sparse_linear.ZEROS)
@pytest.mark.parametrize("shape", sparse_linear.SHAPES, ids=str)
def test_product(
    run_alternative: Check, shape: tuple[int, int, int], zeros: float, name: str
) -> None:
    """One product."""
    run_alternative(sparse_linear.product(*shape, zeros), name)
