"""Weighted neighbourhood sums, alternative by alternative."""

from __future__ import annotations

import pytest

from bench.inputs import EdgeList
from bench.ops import spmm
from bench.ops.conftest import Check

FORWARD = (
    "sparsegnn",
    "sparsegnn, any arc order",
    "torch.sparse CSR int32",
    "torch.sparse CSR int64",
    "scipy CSR (1 thread)",
    "PyG gather/scatter",
)
HALF_WIDTH = (
    "sparsegnn",
    "sparsegnn fp32",
    "torch.sparse CSR fp32, int32",
    "torch.sparse CSR fp32, int64",
)
LARGEST = ("sparsegnn", "torch.sparse.mm amax int32", "torch.sparse.mm amax int64")
TRAINING = ("sparsegnn", "torch.sparse composite", "PyG gather/scatter")


@pytest.mark.parametrize("name", FORWARD)
@pytest.mark.parametrize("width", spmm.WIDTHS)
def test_forward(run_alternative: Check, edges: EdgeList, width: int, name: str) -> None:
    """One forward sum."""
    run_alternative(spmm.forward(edges, width), name)


@pytest.mark.parametrize("name", HALF_WIDTH)
@pytest.mark.parametrize("width", spmm.WIDTHS)
def test_half_width(run_alternative: Check, edges: EdgeList, width: int, name: str) -> None:
    """One forward sum of bfloat16 features."""
    run_alternative(spmm.half_width(edges, width), name)


@pytest.mark.parametrize("name", LARGEST)
@pytest.mark.parametrize("width", spmm.WIDTHS)
def test_largest(run_alternative: Check, edges: EdgeList, width: int, name: str) -> None:
    """The largest message."""
    run_alternative(spmm.largest(edges, width), name)


@pytest.mark.parametrize("name", TRAINING)
@pytest.mark.parametrize("width", spmm.WIDTHS[:3])
def test_training(run_alternative: Check, edges: EdgeList, width: int, name: str) -> None:
    """One forward and the gradients of features and edge weights."""
    run_alternative(spmm.training(edges, width), name)
