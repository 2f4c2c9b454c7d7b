"""GATv2 layers, alternative by alternative."""

from __future__ import annotations

import pytest

from bench.graphs import PUBMED
from bench.ops import gat, gatv2
from bench.ops.conftest import Check


@pytest.mark.parametrize("name", ("sparsegnn", gatv2.PYG))
@pytest.mark.parametrize("heads,width", gat.SHAPES)
def test_training(run_alternative: Check, heads: int, width: int, name: str) -> None:
    """One layer, forward and backward."""
    run_alternative(gatv2.training(PUBMED.load(), heads, width), name)
