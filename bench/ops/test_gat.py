"""Attention layers, alternative by alternative."""

from __future__ import annotations

import pytest

from bench.inputs import EdgeList
from bench.ops import gat
from bench.ops.conftest import Check


@pytest.mark.parametrize("name", ("sparsegnn", gat.PYG))
@pytest.mark.parametrize("heads,width", gat.SHAPES)
def test_forward(
    run_alternative: Check, edges: EdgeList, heads: int, width: int, name: str
) -> None:
    """One layer without gradients."""
    run_alternative(gat.forward(edges, heads, width), name)


@pytest.mark.parametrize("name", ("sparsegnn", gat.PYG))
@pytest.mark.parametrize("heads,width", gat.SHAPES)
def test_training(
    run_alternative: Check, edges: EdgeList, heads: int, width: int, name: str
) -> None:
    """One layer, forward and backward."""
    run_alternative(gat.training(edges, heads, width), name)
