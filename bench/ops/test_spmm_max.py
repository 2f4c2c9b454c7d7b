"""Max aggregation with gradients, alternative by alternative."""

from __future__ import annotations

import pytest

from bench.graphs import PUBMED
from bench.ops import spmm_max
from bench.ops.conftest import Check


@pytest.mark.parametrize("name", ["sparsegnn", "torch.sparse.mm amax"])
@pytest.mark.parametrize("width", spmm_max.WIDTHS)
def test_training(run_alternative: Check, width: int, name: str) -> None:
    """One step."""
    run_alternative(spmm_max.training(PUBMED.load(), width), name)
