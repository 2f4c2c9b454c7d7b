from collections.abc import Iterator

import pytest
import torch

from bench.cases import Case, agreement
from bench.inputs import EdgeList, distinct_rows
from bench.ops import (
    block_linear,
    compact_linear,
    drop_and_grow,
    gat,
    gatv2,
    grow_scores,
    sddmm,
    softmax_aggregate,
    sparse_linear,
    spgemm,
    spmm,
    spmm_max,
    spmm_rows,
    topk_mask,
    topk_rows,
)


def _small(edges: EdgeList) -> Iterator[Case]:
    yield spmm.forward(edges, 5)
    yield spmm.half_width(edges, 8)
    yield spmm.training(edges, 4)
    yield spmm.training(edges, 4, with_pyg=False)
    yield spmm_max.training(edges, 4)
    yield compact_linear.product(30, 12, 8, 0.5)
    yield sddmm.dots(edges, 6)
    yield gat.forward(edges, 2, 3)
    yield gat.training(edges, 2, 4)
    yield gat.training(edges, 3, 8, with_pyg=False)
    yield gatv2.training(edges, 2, 4)
    yield softmax_aggregate.training(edges, 5)
    yield sparse_linear.product(33, 40, 17, 0.9)
    yield sparse_linear.training(33, 40, 17, 0.9)
    yield block_linear.product(33, 48, 32, 16, 0.5)
    yield topk_mask.largest(1000)
    yield topk_rows.selection(50, 20, 3)
    yield spmm_rows.forward(edges, 3, 9)
    yield spmm_rows.training(edges, 3, 9)
    yield spgemm.product(50, 20, 3, 8, 0.7)
    yield spgemm.training(50, 20, 3, 8, 0.7)


def test_all_alternatives_of_every_operator_agree(edges: EdgeList) -> None:
    """What the benchmarks compare computes the same, on a graph small enough for every run."""
    for case in _small(edges):
        assert set(agreement(case)) == set(case.alternatives)
        assert "sparsegnn" in case.alternatives


def test_mask_updates_agree() -> None:
    """The builder compares the first update."""
    assert set(drop_and_grow.update(1000).alternatives) == {"sparsegnn", "torch composite"}


@pytest.mark.parametrize("quick", [True, False])
def test_products_are_named_like_their_cases(quick: bool) -> None:
    names = list(sparse_linear.cases(quick))
    assert len(names) == (4 if quick else 15)
    assert "sparse-linear/20000x512x512/zeros=0.90" in names
    assert "block-linear/20000x512x512/block=32/zeros=0.90" in block_linear.cases(quick)


def test_rows_to_select_from_have_no_ties() -> None:
    x = distinct_rows(2000, 256, torch.Generator().manual_seed(0))
    assert (x.sort(dim=1).values.diff(dim=1) > 0).all()
    assert abs(float(x.std()) - 1.0) < 0.01


def test_growth_chooses_the_same_magnitudes() -> None:
    case = grow_scores.selection(20, 12, 16)
    for run in case.alternatives.values():
        chosen = run()
        assert isinstance(chosen, torch.Tensor) and chosen.numel() == case.params["k"]
