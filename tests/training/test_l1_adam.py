import copy

import pytest
import torch
from torch import nn

from sparsegnn.training import L1Adam


def leaves(*values: list[float]) -> list[nn.Parameter]:
    return [nn.Parameter(torch.tensor(value, dtype=torch.float64)) for value in values]


@pytest.mark.parametrize("fused", [False, True])
def test_equals_autograd_on_the_penalty(fused):
    start = [[0.3, -0.2, 0.0, 1.0], [2.0, -1e-3]]
    ours, theirs = leaves(*start), leaves(*start)
    groups = [{"params": [p], "l1": l1} for p, l1 in zip(ours, (0.1, 0.02), strict=True)]
    mine = L1Adam(groups, lr=0.05, weight_decay=1e-2, fused=fused)
    plain = torch.optim.Adam(theirs, lr=0.05, weight_decay=1e-2, fused=fused)
    for _ in range(50):
        for params, optimizer, penalty in ((ours, mine, 0.0), (theirs, plain, 1.0)):
            optimizer.zero_grad()
            first, second = params
            loss = ((first - 0.1) ** 2).sum() + (second**3).sum()
            loss = loss + penalty * (0.1 * first.abs().sum() + 0.02 * second.abs().sum())
            loss.backward()
            optimizer.step()
        for a, b in zip(ours, theirs, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-13, atol=1e-14)


def test_without_penalty_and_bound_it_is_adam_bit_for_bit():
    (ours,), (theirs,) = leaves([0.5, -2.0]), leaves([0.5, -2.0])
    mine, plain = L1Adam([ours], lr=0.1), torch.optim.Adam([theirs], lr=0.1)
    for _ in range(5):
        for parameter, optimizer in ((ours, mine), (theirs, plain)):
            parameter.grad = parameter.detach() ** 3
            optimizer.step()
    assert torch.equal(ours, theirs)


def test_the_bound_holds_after_every_step_for_its_group_only():
    (bounded,), (free,) = leaves([0.05, 1.0]), leaves([0.05, 1.0])
    optimizer = L1Adam([{"params": [bounded], "minimum": 0.0}, {"params": [free]}], lr=0.1)
    for _ in range(3):
        for parameter in (bounded, free):
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
    assert bounded.tolist() == [0.0, pytest.approx(0.7)]
    assert free.tolist() == pytest.approx([-0.25, 0.7])


def test_parameters_without_a_gradient_and_later_groups():
    (used,), (unused,), (late,) = leaves([1.0]), leaves([1.0]), leaves([1.0])
    optimizer = L1Adam([used, unused], lr=0.1, l1=0.5)
    optimizer.add_param_group({"params": [late]})
    used.grad, late.grad = torch.zeros_like(used), torch.zeros_like(late)
    optimizer.step()
    assert unused.tolist() == [1.0]
    assert used.tolist() == late.tolist() == [pytest.approx(0.9)]
    assert used.grad.tolist() == [0.5]


def test_state_dict_and_closure():
    (parameter,) = leaves([1.0])
    optimizer = L1Adam([parameter], l1=0.25, minimum=0.0)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = parameter.square().sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 1.0
    assert parameter.grad.tolist() == [2.25]
    for other in (L1Adam(leaves([1.0])), copy.deepcopy(optimizer)):
        other.load_state_dict(optimizer.state_dict())
        (copied,) = other.param_groups[0]["params"]
        before, copied.grad = copied.detach().clone(), torch.zeros_like(copied)
        other.step()
        assert copied.grad.tolist() == [0.25] and copied < before
    assert other.param_groups[0]["l1"] == 0.25 and other.param_groups[0]["minimum"] == 0.0


@pytest.mark.parametrize("l1", [-1.0, float("nan")])
def test_a_bad_coefficient(l1):
    with pytest.raises(ValueError, match="l1 must be at least 0"):
        L1Adam(leaves([1.0]), l1=l1)
