"""Dot products along edges, alternative by alternative."""

from __future__ import annotations

import pytest

from bench.inputs import EdgeList
from bench.ops import sddmm
from bench.ops.conftest import Check

NAMES = (
    "sparsegnn",
    "torch.sparse sampled_addmm int32",
    "torch.sparse sampled_addmm int64",
    "torch gather, multiply, sum",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", sddmm.WIDTHS)
def test_dots(run_alternative: Check, edges: EdgeList, width: int, name: str) -> None:
    """One pass over all arcs."""
    run_alternative(sddmm.dots(edges, width), name)
