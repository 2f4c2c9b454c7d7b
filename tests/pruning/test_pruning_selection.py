import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsegnn.pruning import keep_count, select_random, select_top


@pytest.mark.parametrize(
    ("total", "rate", "rounds", "kept"),
    [
        (10, 0.5, 1, 5),
        (5, 0.5, 1, 3),
        (5278, 0.05, 4, 4299),
        (737280, 0.2, 4, 301990),
        (7, 0.0, 9, 7),
    ],
)
def test_hand_worked_counts(total, rate, rounds, kept):
    assert keep_count(total, rate, rounds) == kept


@given(st.integers(0, 10**6), st.floats(0, 0.99), st.integers(0, 30))
def test_sparsity_is_nominal_to_within_one_element_after_any_round(total, rate, rounds):
    nominal = total * (1 - rate) ** rounds
    assert abs(keep_count(total, rate, rounds) - nominal) <= 1
    assert keep_count(total, rate, rounds + 1) <= keep_count(total, rate, rounds) <= total


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((-1, 0.1, 1), "total must be at least 0, got -1"),
        ((1, 1.0, 1), r"rate must be in \[0, 1\), got 1.0"),
        ((1, math.nan, 1), r"rate must be in \[0, 1\), got nan"),
        ((1, 0.1, -2), "rounds must be at least 0, got -2"),
    ],
)
def test_counts_out_of_range(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        keep_count(*arguments)


def test_hand_worked_selection_over_two_tensors():
    first, second = select_top([torch.tensor([[3.0, 1.0]]), torch.tensor([2.0, 5.0, 0.0])], 3)
    assert first.tolist() == [[True, False]]
    assert second.tolist() == [True, True, False]


def test_ties_without_a_seed_take_the_lowest_index():
    (kept,) = select_top([torch.tensor([1.0, 2.0, 1.0, 1.0])], 3)
    assert kept.tolist() == [True, True, True, False]


def test_ties_with_a_seed_depend_on_the_seed_alone():
    scores = [torch.ones(400), torch.ones(10, 10)]
    picked = [select_top(scores, 250, seed) for seed in (1, 1, 2)]
    assert all(torch.equal(a, b) for a, b in zip(picked[0], picked[1], strict=True))
    assert not torch.equal(picked[0][0], picked[2][0])
    assert 0 < int(picked[0][1].sum()) < 100


def test_nan_is_dropped_first():
    (kept,) = select_top([torch.tensor([math.nan, -5.0, math.nan, -7.0])], 2, seed=3)
    assert kept.tolist() == [False, True, False, True]


@settings(max_examples=60)
@given(st.data())
def test_exact_and_never_worse_than_what_is_dropped(data):
    values = st.lists(st.integers(-3, 3).map(float), max_size=12)
    scores = [torch.tensor(each) for each in data.draw(st.lists(values, min_size=1, max_size=4))]
    total = sum(each.numel() for each in scores)
    keep = data.draw(st.integers(0, total))
    masks = select_top(scores, keep, data.draw(st.none() | st.integers(0, 2**62)))
    flat, kept = torch.cat(scores), torch.cat(masks)
    assert int(kept.sum()) == keep
    if 0 < keep < total:
        assert flat[kept].min() >= flat[~kept].max()


def test_keep_out_of_range():
    with pytest.raises(ValueError, match=r"keep must be in \[0, 3\], got 4"):
        select_top([torch.ones(3)], 4)


def test_random_selection_is_exact_per_tensor_and_seeded():
    first = select_random([50, 20], [10, 19], seed=5)
    again = select_random([50, 20], [10, 19], seed=5)
    assert [int(mask.sum()) for mask in first] == [10, 19]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    with pytest.raises(ValueError, match=r"keep must be in \[0, 5\], got 6"):
        select_random([5], [6], seed=0)
