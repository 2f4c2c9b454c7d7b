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


def expected_mask(score: torch.Tensor, k: int) -> torch.Tensor:
    """The mask by a stable sort; for scores without NaN."""
    order = score.double().sort(descending=True, stable=True).indices
    return torch.zeros(score.numel(), dtype=torch.bool).index_fill_(0, order[:k], True)


def large_scores(kind: str, size: int) -> torch.Tensor:
    random = torch.randn(size, generator=torch.Generator().manual_seed(3))
    ramp = torch.arange(size, dtype=torch.float64)
    made = {
        "normal": random,
        "magnitudes": random.abs(),
        "negative": -random.abs(),
        "sorted": ramp,
        "reversed": -ramp,
        "constant": torch.full((size,), 0.5),
        "two values": (random > 1.0).double(),
        "mostly zero": torch.where(random > 1.2, random, 0.0 * random),
        "denormal": random * 1e-40,
        "one block differs": torch.where(ramp < size / 50, 1.0 + ramp / size, 1e-3 * random),
        "periodic": (ramp % 1024 == 0).double() * (2.0 + ramp / size),
        "few distinct": (random * 4).round(),
    }
    return made[kind]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    "kind",
    [
        "normal",
        "magnitudes",
        "negative",
        "sorted",
        "reversed",
        "constant",
        "two values",
        "mostly zero",
        "denormal",
        "one block differs",
        "periodic",
        "few distinct",
    ],
)
def test_large_scores_on_every_instruction_set(kind: str, dtype: torch.dtype, isa: int) -> None:
    size = 70_003
    score = large_scores(kind, size).to(dtype)
    for k in (1, 1400, 7001, 35_000, size - 1, size):
        (mask,) = sg.ops.topk_mask([score], k)
        assert torch.equal(mask, expected_mask(score, k)), k


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("ties", [(1.0,), (1.0, 1.01)], ids=["one", "two side by side"])
def test_thresholds_next_to_huge_ties(
    ties: tuple[float, ...], dtype: torch.dtype, isa: int
) -> None:
    """Half of the scores are equal: a bracket around the threshold holds them or misses them."""
    size = 400_003
    score = torch.randn(size)
    for i, tie in enumerate(ties):
        score[2 * i :: 2 * len(ties)] = tie
    score = score.to(dtype)
    above = int((score > ties[0]).sum())
    equal = int((score == ties[0]).sum())
    for edge in (above, above + equal):
        for offset in (-900, -1, 0, 1, 900):
            (mask,) = sg.ops.topk_mask([score], edge + offset)
            assert torch.equal(mask, expected_mask(score, edge + offset)), (edge, offset)


def test_the_same_mask_for_every_number_of_threads(isa: int) -> None:
    parts = [large_scores("few distinct", 130_001), large_scores("constant", 17), torch.zeros(0)]
    parts.append(large_scores("normal", 90_000))
    parts[3][::7] = float("nan")
    before = torch.get_num_threads()
    try:
        for k in (20_000, 150_000, 215_000, 220_018):
            masks = []
            for threads in (1, 2, 3, 8):
                torch.set_num_threads(threads)
                masks.append(torch.cat(sg.ops.topk_mask(parts, k)))
            assert int(masks[0].sum()) == k
            assert all(torch.equal(masks[0], mask) for mask in masks[1:])
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_each_tensor_on_its_own(dtype: torch.dtype) -> None:
    sizes = [0, 1, 5, 40_000, 300, *range(60)]
    scores = [(torch.randn(size) * 3).round().to(dtype) for size in sizes]
    counts = [size // 3 for size in sizes]
    masks = sg.ops.topk_mask(scores, counts, per_tensor=True)
    for mask, score, k in zip(masks, scores, counts, strict=True):
        assert torch.equal(mask, expected_mask(score, k))
    for mask in sg.ops.topk_mask([torch.randn(4, 5), torch.randn(9)], 7, per_tensor=True):
        assert int(mask.sum()) == 7


def test_denormal_scores_count_whatever_the_processor_flushes() -> None:
    score = torch.full((70_000,), 1e-45)
    score[40_000:] = 3e-45
    score[60_001:] = float("nan")
    torch.set_flush_denormal(True)
    try:
        (mask,) = sg.ops.topk_mask([score], 20_002)
    finally:
        torch.set_flush_denormal(False)
    assert mask[40_000:60_001].all()
    assert mask[0]
    assert int(mask.sum()) == 20_002


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


def test_counts_that_do_not_fit() -> None:
    scores = [torch.ones(3), torch.ones(4)]
    with pytest.raises(ValueError, match="k must hold one count for each of the 2 tensors, got 1"):
        sg.ops.topk_mask(scores, [1], per_tensor=True)
    with pytest.raises(ValueError, match=r"k must lie in \[0, 3\], got 4"):
        sg.ops.topk_mask(scores, 4, per_tensor=True)
    with pytest.raises(TypeError, match="k must be an int, got list"):
        sg.ops.topk_mask(scores, [1, 2])
    with pytest.raises(TypeError, match="k must be an int, got float"):
        sg.ops.topk_mask(scores, [1, 2.0], per_tensor=True)  # type: ignore[list-item]


def test_bad_scores() -> None:
    with pytest.raises(ValueError, match="at least one tensor"):
        sg.ops.topk_mask([], 0)
    with pytest.raises(ValueError, match="scores must"):
        sg.ops.topk_mask([torch.ones(3, dtype=torch.int64)], 1)
    with pytest.raises(ValueError, match="scores must have dtype"):
        sg.ops.topk_mask([torch.ones(3), torch.ones(3).double()], 1)
    with pytest.raises(TypeError, match="k must be an int"):
        sg.ops.topk_mask([torch.ones(3)], 1.0)  # type: ignore[arg-type]
