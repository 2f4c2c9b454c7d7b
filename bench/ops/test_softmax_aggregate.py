"""GENConv's aggregation, alternative by alternative."""

from __future__ import annotations

import pytest

from bench.graphs import PUBMED
from bench.ops import softmax_aggregate
from bench.ops.conftest import Check


@pytest.mark.parametrize("name", ("sparsegnn", softmax_aggregate.PYG, softmax_aggregate.COMPOSITE))
@pytest.mark.parametrize("width", softmax_aggregate.WIDTHS)
def test_training(run_alternative: Check, width: int, name: str) -> None:
    """Forward and backward."""
    run_alternative(softmax_aggregate.training(PUBMED.load(), width), name)
