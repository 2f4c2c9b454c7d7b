"""Products of sparse matrices, alternative by alternative."""

from __future__ import annotations

import pytest

from bench.ops import spgemm
from bench.ops.conftest import Check

NAMES = (
    "sparsegnn",
    spgemm.CSR_OURS,
    spgemm.CSR_PEER,
    "scipy CSR @ dense (1 thread)",
    "torch dense",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("zeros", spgemm.ZEROS)
def test_product(run_alternative: Check, zeros: float, name: str) -> None:
    """One product."""
    run_alternative(spgemm.product(20_000, 256, 32, 256, zeros), name)


@pytest.mark.parametrize("name", ("sparsegnn", "torch dense"))
def test_training(run_alternative: Check, name: str) -> None:
    """One training step."""
    run_alternative(spgemm.training(20_000, 256, 32, 256, 0.9), name)
