import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparsegnn import Mask


@given(st.lists(st.booleans(), max_size=70))
def test_round_trip_and_count(bits: list[bool]) -> None:
    values = torch.tensor(bits, dtype=torch.bool)
    mask = Mask.from_bool(values)
    assert torch.equal(mask.to_bool(), values)
    assert mask.count == sum(bits)
    assert mask.packed.numel() == (len(bits) + 7) // 8
    assert Mask.from_packed(mask.packed, mask.shape) == mask


def test_bit_order_is_little() -> None:
    mask = Mask.from_bool(torch.tensor([True] + [False] * 7 + [False, True]))
    assert mask.packed.tolist() == [1, 2]


def test_equality_and_digest_depend_on_shape_and_bits() -> None:
    a = Mask.from_bool(torch.ones(2, 3, dtype=torch.bool))
    assert a == Mask.ones(2, 3)
    assert a.sha256() == Mask.ones(2, 3).sha256()
    assert a != Mask.ones(3, 2)
    assert a.sha256() != Mask.ones(3, 2).sha256()
    assert a.sparsity == 0.0
    assert Mask.ones(0).sparsity == 0.0


def test_bad_masks() -> None:
    with pytest.raises(TypeError, match="must be a bool tensor"):
        Mask.from_bool(torch.ones(3))
    with pytest.raises(ValueError, match="must hold 1 bytes"):
        Mask.from_packed(torch.zeros(2, dtype=torch.uint8), (3,))
    with pytest.raises(ValueError, match="zero bits past the end"):
        Mask.from_packed(torch.tensor([255], dtype=torch.uint8), (3,))
    with pytest.raises(ValueError, match="uint8 vector"):
        Mask.from_packed(torch.zeros(1), (3,))
