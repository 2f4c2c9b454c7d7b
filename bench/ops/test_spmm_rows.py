"""Aggregation of sparse rows, alternative by alternative."""

from __future__ import annotations

import pytest

from bench.inputs import EdgeList
from bench.ops import spmm_rows
from bench.ops.conftest import Check

FORWARD = ("sparsegnn", "sparsegnn, dense rows", "torch.sparse CSR int32, dense rows")


@pytest.mark.parametrize("name", FORWARD)
@pytest.mark.parametrize("k", spmm_rows.KEPT)
def test_forward(run_alternative: Check, edges: EdgeList, k: int, name: str) -> None:
    """One forward sum."""
    run_alternative(spmm_rows.forward(edges, k), name)


@pytest.mark.parametrize("name", FORWARD[:2])
def test_training(run_alternative: Check, edges: EdgeList, name: str) -> None:
    """One forward and the gradients."""
    run_alternative(spmm_rows.training(edges, 32), name)
