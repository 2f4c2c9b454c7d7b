import pytest
import torch
from torch import nn

from sparsegnn.pruning.weights import WeightSlots, maskable_slots


def test_round_trip_of_survivors():
    dense = torch.arange(6.0).reshape(2, 3)
    full = WeightSlots("w", dense.shape)
    assert torch.equal(full.expand(full.gather(dense)), dense)
    kept = full.narrow(torch.tensor([True, False, True, True, False, False]))
    assert kept.count == 3
    expected = torch.tensor([[0.0, 1.0, 0.0], [0.0, 4.0, 0.0]])
    assert torch.equal(kept.expand(kept.gather(dense)), expected)
    assert torch.equal(kept.mask(), torch.tensor([[1, 1, 0], [0, 1, 0]], dtype=torch.bool))
    again = kept.narrow(torch.tensor([False, True, True]))
    assert torch.equal(again.mask(), torch.tensor([[0, 1, 0], [0, 1, 0]], dtype=torch.bool))


def test_transpose_of_an_expanded_matrix_is_contiguous():
    slots = WeightSlots("w", torch.Size([4, 9]))
    assert slots.expand(torch.rand(36)).t().is_contiguous()
    assert slots.narrow(torch.arange(36) % 2 == 0).expand(torch.rand(18)).t().is_contiguous()


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
