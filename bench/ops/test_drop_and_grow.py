"""Mask updates, alternative by alternative."""

from __future__ import annotations

import pytest

from bench.ops import drop_and_grow
from bench.ops.conftest import Check


@pytest.mark.parametrize("name", ["sparsegnn", "torch composite"])
@pytest.mark.parametrize("size", drop_and_grow.SIZES)
def test_update(run_alternative: Check, size: int, name: str) -> None:
    """One update."""
    run_alternative(drop_and_grow.update(size), name)
