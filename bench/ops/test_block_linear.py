"""Products with block-sparse weights, alternative by alternative."""

from __future__ import annotations

import pytest

from bench.ops import block_linear
from bench.ops.conftest import Check

NAMES = ("sparsegnn", "sparsegnn, entry by entry", "dense", "torch.sparse BSR(W) x^T")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("block", block_linear.BLOCKS)
@pytest.mark.parametrize("shape", block_linear.SHAPES, ids=str)
def test_product(
    run_alternative: Check, shape: tuple[int, int, int], block: int, name: str
) -> None:
    """One product at the higher sparsity."""
    run_alternative(block_linear.product(*shape, block, block_linear.ZEROS[-1]), name)
