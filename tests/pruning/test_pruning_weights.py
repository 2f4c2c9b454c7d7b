import pytest
import torch
from torch import nn

from sparsegnn.pruning.weights import WeightSlots, maskable_slots


@pytest.mark.parametrize("rows", [2, 40])
def test_round_trip_of_survivors(rows):
    generator = torch.Generator().manual_seed(0)
    dense = torch.rand(rows, 3, generator=generator) + 1.0
    full = WeightSlots("w", dense.shape)
    assert torch.equal(full.expand(full.gather(dense)), dense)
    chosen = torch.rand(rows, 3, generator=generator) < 0.5
    kept = full.narrow(full.gather(chosen))
    assert torch.equal(kept.mask(), chosen)
    assert torch.equal(kept.expand(kept.gather(dense)), dense * chosen)
    fewer = chosen & (torch.rand(rows, 3, generator=generator) < 0.5)
    again = kept.narrow(kept.gather(fewer))
    assert again.count == int(fewer.sum())
    assert torch.equal(again.mask(), fewer)


def test_transpose_of_a_wide_matrix_is_contiguous_and_a_narrow_one_is_itself():
    every_other = torch.arange(360) % 2 == 0
    wide, narrow = WeightSlots("w", torch.Size([40, 9])), WeightSlots("w", torch.Size([4, 90]))
    for slots in (wide, wide.narrow(every_other)):
        assert slots.expand(torch.rand(slots.count)).t().is_contiguous()
    for slots in (narrow, narrow.narrow(every_other)):
        assert slots.expand(torch.rand(slots.count)).is_contiguous()


def test_gradient_reaches_survivors_only():
    slots = WeightSlots("w", torch.Size([3, 4])).narrow(torch.arange(12) % 3 == 0)
    values = torch.rand(4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(slots.expand, (values,))
    slots.expand(values).backward(torch.arange(12.0, dtype=torch.float64).reshape(3, 4))
    assert torch.equal(values.grad, slots.gather(torch.arange(12.0).reshape(3, 4)).double())


def test_vectors_are_slots_too():
    slots = WeightSlots("b", torch.Size([3])).narrow(torch.tensor([True, False, True]))
    assert slots.expand(torch.tensor([5.0, 6.0])).tolist() == [5.0, 0.0, 6.0]
    assert slots.mask().tolist() == [True, False, True]


def test_pattern_selects_by_name_in_order():
    model = nn.ModuleDict({"a": nn.ModuleDict({"lin": nn.Linear(2, 3)}), "head": nn.Linear(3, 1)})
    assert [slot.name for slot in maskable_slots(model, "*.lin.weight")] == ["a.lin.weight"]
    with pytest.raises(ValueError, match=r"maskable must match a parameter name, got '\*.no' for"):
        maskable_slots(model, "*.no")
