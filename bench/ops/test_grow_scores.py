"""Growth by gradient, alternative by alternative."""

from __future__ import annotations

import pytest

from bench.ops import grow_scores
from bench.ops.conftest import Check


@pytest.mark.parametrize("name", ["sparsegnn", "dense gradient and torch.topk"])
@pytest.mark.parametrize("shape", grow_scores.SHAPES[:1])
def test_selection(run_alternative: Check, shape: tuple[int, int, int], name: str) -> None:
    """One selection."""
    run_alternative(grow_scores.selection(*shape), name)
