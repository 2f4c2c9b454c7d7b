"""Selection in rows, alternative by alternative."""

from __future__ import annotations

import pytest

from bench.ops import topk_rows
from bench.ops.conftest import Check

NAMES = ("sparsegnn", "torch.topk", "torch.topk, by column")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("k", topk_rows.KEPT)
def test_selection(run_alternative: Check, k: int, name: str) -> None:
    """One selection."""
    run_alternative(topk_rows.selection(20_000, 256, k), name)
