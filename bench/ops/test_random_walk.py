"""Random walks, alternative by alternative."""

from __future__ import annotations

import pytest

from bench.inputs import EdgeList
from bench.ops import random_walk
from bench.ops.conftest import Check


@pytest.mark.parametrize("name", ["sparsegnn", "numpy, all walks a step"])
@pytest.mark.parametrize("kind", random_walk.KINDS)
def test_walks(run_alternative: Check, edges: EdgeList, kind: str, name: str) -> None:
    """One set of walks."""
    run_alternative(random_walk.walks(edges, kind), name)
