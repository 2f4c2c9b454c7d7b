"""Dropout by counter: what drops, how much, and the derivative."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import sparsegnn as sg
from sparsegnn.testing import assert_close, reference_dropout

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("p", [0.0, 0.25, 0.999, 1.0])
def test_equals_the_reference(isa: int, dtype: torch.dtype, p: float) -> None:
    x = torch.randn(11, 37).to(dtype)
    for seed in (0, 3, -5, 2**40 + 1):
        assert_close(sg.ops.dropout(x, p, seed), reference_dropout(x, p, seed), dtype)


def test_strided_empty_and_scalar_input(isa: int) -> None:
    wide = torch.randn(30, 20)
    assert torch.equal(
        sg.ops.dropout(wide.t()[::2], 0.5, 1), sg.ops.dropout(wide.t()[::2].clone(), 0.5, 1)
    )
    assert sg.ops.dropout(torch.empty(0, 3), 0.5).shape == (0, 3)
    assert float(sg.ops.dropout(torch.tensor(2.0), 0.0)) == 2.0


def test_keeps_the_share_and_the_mean() -> None:
    x = torch.ones(1 << 20)
    for p in (0.1, 0.5, 0.9):
        y = sg.ops.dropout(x, p)
        spread = 5 * (p * (1 - p) / x.numel()) ** 0.5
        assert abs(float((y == 0).double().mean()) - p) < spread
        assert abs(float(y.double().mean()) - 1) < spread / (1 - p)


def test_neighbouring_elements_and_seeds_drop_independently() -> None:
    keep = torch.stack([sg.ops.dropout(torch.ones(1 << 18), 0.5, s) > 0 for s in (0, 1)]).double()
    keep -= 0.5
    for shift in (1, 2, 7, 8, 64):
        assert abs(float((keep[0, shift:] * keep[0, :-shift]).mean())) < 0.25 * 5 / 512
    assert abs(float((keep[0] * keep[1]).mean())) < 0.25 * 5 / 512


def test_the_default_seed_follows_torch() -> None:
    x = torch.ones(1000)
    torch.manual_seed(3)
    first, second = sg.ops.dropout(x, 0.5), sg.ops.dropout(x, 0.5)
    torch.manual_seed(3)
    assert torch.equal(sg.ops.dropout(x, 0.5), first)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_same_bits_for_every_thread_count(threads: int) -> None:
    x = torch.randn(100_003)
    torch.set_num_threads(1)
    expected = sg.ops.dropout(x, 0.4, 9)
    torch.set_num_threads(threads)
    assert torch.equal(sg.ops.dropout(x, 0.4, 9), expected)


def test_a_dropped_element_is_zero_whatever_it_was(isa: int) -> None:
    x = torch.tensor([float("nan"), float("inf")]).repeat(50)
    assert (sg.ops.dropout(x, 1.0) == 0).all()


def test_derivatives() -> None:
    x = torch.randn(5, 7, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x: sg.ops.dropout(x, 0.5, 2).square(), x)
    assert gradgradcheck(lambda x: sg.ops.dropout(x, 0.5, 2).square(), x)


@pytest.mark.slow
def test_opcheck_and_compile() -> None:
    x, seed = torch.randn(5, 7, requires_grad=True), torch.tensor([4])
    torch.library.opcheck(torch.ops.sparsegnn.dropout.default, (x, 0.3, seed))
    compiled = torch.compile(
        lambda x: sg.ops.dropout(x, 0.3, 4), fullgraph=True, backend="aot_eager"
    )
    assert torch.equal(compiled(x), sg.ops.dropout(x, 0.3, 4))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("p", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("width", [1, 7, 64, 600])
def test_after_a_bias_and_relu(isa: int, dtype: torch.dtype, p: float, width: int) -> None:
    x, bias = torch.randn(5, width).to(dtype), torch.randn(width)
    for relu in (False, True):
        expected = reference_dropout(x, p, 3, bias=bias, relu=relu)
        assert_close(sg.ops.dropout(x, p, 3, bias=bias, relu=relu), expected, dtype)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_derivatives_after_a_bias_and_relu(p: float, relu: bool) -> None:
    x = torch.randn(5, 7, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(7, dtype=torch.float64, requires_grad=True)

    def function(x: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return sg.ops.dropout(x, p, 2, bias=bias, relu=relu).square()

    assert gradcheck(function, (x, bias))
    assert gradgradcheck(function, (x, bias))


def test_without_dropout_nothing_is_drawn() -> None:
    x = torch.randn(3, 4)
    state = torch.get_rng_state()
    assert torch.equal(sg.ops.dropout(x, 0.0, relu=True), x.relu())
    assert torch.equal(torch.get_rng_state(), state)
    nan = torch.tensor([torch.nan, -1.0, 2.0], requires_grad=True)
    y = sg.ops.dropout(nan, 0.0, relu=True)
    (grad,) = torch.autograd.grad(y, nan, torch.ones(3))
    (expected,) = torch.autograd.grad(nan.relu(), nan, torch.ones(3))
    assert torch.equal(grad, expected)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_same_bits_for_every_thread_count_with_a_bias(threads: int) -> None:
    x, bias, grad = torch.randn(1000, 70), torch.randn(70), torch.randn(1000, 70)

    def run() -> tuple[torch.Tensor, torch.Tensor]:
        y = sg.ops.dropout(x, 0.4, 9, bias=bias, relu=True)
        return y, torch.ops.sparsegnn.dropout_grad(grad, y, 0.4)

    torch.set_num_threads(1)
    expected = run()
    torch.set_num_threads(threads)
    for left, right in zip(run(), expected, strict=True):
        assert torch.equal(left, right)


def test_results_larger_than_the_caches(isa: int) -> None:
    """They are written past them."""
    x, bias = torch.randn(17000, 512), torch.randn(512)
    y = sg.ops.dropout(x, 0.5, 1, bias=bias, relu=True)
    kept = sg.ops.dropout(torch.ones_like(x), 0.5, 1)
    assert torch.equal(y, (x + bias).relu() * kept)
    grad = torch.randn_like(x)
    actual = torch.ops.sparsegnn.dropout_grad(grad, y, 0.5)
    assert torch.equal(actual, torch.where(y > 0, grad * 2, 0.0))


@pytest.mark.slow
def test_opcheck_and_compile_with_a_bias() -> None:
    x, bias = torch.randn(5, 7, requires_grad=True), torch.randn(7, requires_grad=True)
    ops = torch.ops.sparsegnn
    torch.library.opcheck(ops.dropout.default, (x, 0.3, torch.tensor([4]), bias, True))
    torch.library.opcheck(ops.dropout.default, (x, 0.0, None, bias, False))
    torch.library.opcheck(ops.dropout_grad.default, (x, torch.randn(5, 7).relu(), 0.3))

    def function(x: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return sg.ops.dropout(x, 0.3, 4, bias=bias, relu=True)

    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(x, bias), function(x, bias))
