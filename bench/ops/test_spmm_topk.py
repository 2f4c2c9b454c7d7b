"""Aggregation and selection, alternative by alternative."""

from __future__ import annotations

import pytest

from bench.graphs import PUBMED
from bench.ops import spmm_topk
from bench.ops.conftest import Check

NAMES = (
    "sparsegnn",
    "sparsegnn, spmm then topk_rows",
    "torch.sparse CSR int32 then torch.topk",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("k", spmm_topk.KEPT)
def test_spmm_topk(run_alternative: Check, k: int, name: str) -> None:
    """One aggregation."""
    run_alternative(spmm_topk.forward(PUBMED.load(), k), name)
