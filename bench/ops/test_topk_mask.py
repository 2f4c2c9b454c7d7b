"""Exact selection, alternative by alternative."""

from __future__ import annotations

import pytest

from bench.ops import topk_mask
from bench.ops.conftest import Check

NAMES = ("sparsegnn", "torch.topk", "torch.kthvalue", "torch.sort", "numpy.partition")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", topk_mask.SIZES)
def test_largest(run_alternative: Check, size: int, name: str) -> None:
    """One mask."""
    run_alternative(topk_mask.largest(size), name)
