"""The product whose results lie on huge pages is torch's."""

from collections.abc import Iterator

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from sparsegnn.memory import KEPT_BYTES, fresh
from sparsegnn.nn import large_linear


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(large_linear, "KEPT_BYTES", 0)
    yield


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("input_major", [False, True])
def test_equals_torchs(input_major: bool, with_bias: bool) -> None:
    x, bias = torch.randn(9, 5, requires_grad=True), torch.randn(4, requires_grad=True)
    weight = torch.randn(5, 4).t() if input_major else torch.randn(4, 5)
    weight.requires_grad_()
    leaves = [x, weight, *([bias] if with_bias else [])]
    y = large_linear.linear(*leaves)
    expected = torch.nn.functional.linear(*leaves)
    assert torch.equal(y, expected) and "_Linear" in str(y.grad_fn)
    actual, exact = (torch.autograd.grad(r.square().sum(), leaves) for r in (y, expected))
    for left, right in zip(actual, exact, strict=True):
        torch.testing.assert_close(left, right)
    y = large_linear.linear(*leaves)
    y.sum().backward()
    assert weight.grad is not None and weight.grad.stride() == weight.stride()


def test_derivatives_of_every_order() -> None:
    leaves = [torch.randn(*shape, dtype=torch.float64) for shape in ((6, 3), (4, 3), (4,))]
    leaves = [leaf.requires_grad_() for leaf in leaves]
    assert gradcheck(large_linear.linear, leaves, check_batched_grad=True)
    assert gradgradcheck(large_linear.linear, leaves)
    frozen = leaves[0].detach()
    assert gradcheck(lambda w: large_linear.linear(frozen, w), leaves[1])


def test_what_it_leaves_to_torch() -> None:
    x, weight = torch.randn(6, 3), torch.randn(4, 3, requires_grad=True)
    for given in (x.expand(2, 6, 3), x[0]):
        assert "_Linear" not in str(large_linear.linear(given, weight).grad_fn)
    batched = torch.vmap(lambda x: large_linear.linear(x, weight))(x.expand(2, 6, 3))
    torch.testing.assert_close(batched[0], x @ weight.t())
    with torch.autocast("cpu", torch.bfloat16):
        assert large_linear.linear(x, weight).dtype == torch.bfloat16


def test_fresh_memory() -> None:
    like = torch.zeros(2, dtype=torch.float64)
    for shape in ((0, 3), (4, 5), (KEPT_BYTES // 8 + 1, 1)):
        tensor = fresh(like, shape).fill_(1.0)
        assert tensor.shape == shape and tensor.dtype == like.dtype and tensor.is_contiguous()
