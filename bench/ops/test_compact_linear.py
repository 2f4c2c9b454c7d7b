"""Compact weights, alternative by alternative."""

from __future__ import annotations

import pytest

from bench.ops import compact_linear
from bench.ops.conftest import Check


@pytest.mark.parametrize("name", ["sparsegnn", "dense"])
@pytest.mark.parametrize("kept", compact_linear.KEPT)
def test_product(run_alternative: Check, kept: float, name: str) -> None:
    """One product."""
    run_alternative(compact_linear.product(*compact_linear.SHAPES[0], kept), name)
