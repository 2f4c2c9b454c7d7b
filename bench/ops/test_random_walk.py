"""Random walks, alternative by alternative."""

from __future__ import annotations

import pytest

from bench.inputs import EdgeList
from bench.ops import random_walk
from bench.ops.conftest import Check


@pytest.mark.parametrize("name", ["sparsegnn", "numpy, all walks a step"])
@pytest.mark.parametrize("temporal", [False, True])
def test_walks(run_alternative: Check, edges: EdgeList, temporal: bool, name: str) -> None:
    """One set of walks."""
    run_alternative(random_walk.walks(edges, temporal), name)
