import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sparsegnn as sg
from sparsegnn.testing import reference_topk_mask

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
SPECIAL = [0.0, -0.0, 1.0, -1.0, float("inf"), float("-inf"), float("nan"), 1e-45, 65504.0, 0.5]


@settings(max_examples=200, deadline=None)
@given(
    parts=st.lists(st.lists(st.sampled_from(SPECIAL), max_size=12), min_size=1, max_size=4),
    data=st.data(),
)
def test_equals_the_reference_on_ties_nan_and_zeros(
    parts: list[list[float]], data: st.DataObject
) -> None:
    scores = [torch.tensor(part, dtype=torch.float32) for part in parts]
    k = data.draw(st.integers(0, sum(map(len, parts))))
    for actual, expected in zip(
        sg.ops.topk_mask(scores, k), reference_topk_mask(scores, k), strict=True
    ):
        assert torch.equal(actual, expected)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("k", [0, 1, 2, 777, 5999, 6000])
def test_random_scores_of_several_shapes(dtype: torch.dtype, k: int) -> None:
    scores = [torch.randn(50, 60).to(dtype), torch.randn(3000).to(dtype)]
    actual = sg.ops.topk_mask(scores, k)
    assert sum(int(mask.sum()) for mask in actual) == k
    for mask, expected, score in zip(actual, reference_topk_mask(scores, k), scores, strict=True):
        assert mask.shape == score.shape
        assert torch.equal(mask, expected)


def test_all_ties_keep_the_lowest_positions() -> None:
    first, second = sg.ops.topk_mask([torch.ones(5), torch.ones(5)], 7)
    assert first.all()
    assert second.tolist() == [True, True, False, False, False]


def test_strided_scores() -> None:
    score = torch.randn(40, 30).t()
    (mask,) = sg.ops.topk_mask([score], 100)
    assert torch.equal(mask, reference_topk_mask([score], 100)[0])


@pytest.mark.parametrize("k", [-1, 7])
def test_k_out_of_range(k: int) -> None:
    with pytest.raises(ValueError, match=rf"k must lie in \[0, 6\], got {k}"):
        sg.ops.topk_mask([torch.ones(6)], k)


def test_bad_scores() -> None:
    with pytest.raises(ValueError, match="at least one tensor"):
        sg.ops.topk_mask([], 0)
    with pytest.raises(ValueError, match="scores must"):
        sg.ops.topk_mask([torch.ones(3, dtype=torch.int64)], 1)
    with pytest.raises(ValueError, match="scores must have dtype"):
        sg.ops.topk_mask([torch.ones(3), torch.ones(3).double()], 1)
    with pytest.raises(TypeError, match="k must be an int"):
        sg.ops.topk_mask([torch.ones(3)], 1.0)  # type: ignore[arg-type]
