from collections.abc import Iterator

import pytest

from bench.cases import Case, agreement
from bench.inputs import EdgeList
from bench.ops import sddmm, sparse_linear, spmm, topk_mask


def _small(edges: EdgeList) -> Iterator[Case]:
    yield spmm.forward(edges, 5)
    yield spmm.training(edges, 4)
    yield sddmm.dots(edges, 6)
    yield sparse_linear.product(33, 40, 17, 0.9)
    yield topk_mask.largest(1000)


def test_all_alternatives_of_every_operator_agree(edges: EdgeList) -> None:
    """What the benchmarks compare computes the same, on a graph small enough for every run."""
    for case in _small(edges):
        assert set(agreement(case)) == set(case.alternatives)
        assert "sparsegnn" in case.alternatives


@pytest.mark.parametrize("quick", [True, False])
def test_builders_are_named_like_their_cases(edges: EdgeList, quick: bool) -> None:
    builders = {**spmm.cases(edges, quick), **sddmm.cases(edges, quick)}
    assert "spmm/width=128" in builders and "spmm-train/width=128" in builders
    for name, build in builders.items():
        assert build().name == name
    for shape in sparse_linear.SHAPES:
        assert sparse_linear.case_name(*shape, 0.9).endswith("zeros=0.90")
