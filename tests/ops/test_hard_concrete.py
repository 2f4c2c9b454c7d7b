import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

import sparsegnn as sg
from sparsegnn.testing import adversarial_graph, reference_hard_concrete

OP = torch.ops.sparsegnn.hard_concrete
GRAD = torch.ops.sparsegnn.hard_concrete_grad
TOLERANCE = {torch.float32: 2e-6, torch.float64: 1e-12}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("size", [0, 1, 5, 64, 67, 5000])
def test_gates_and_slopes(isa: int, size: int, dtype: torch.dtype) -> None:
    logits = (3 * torch.randn(size, dtype=torch.float64)).to(dtype)
    logits[::97] = 300.0
    logits[1::97] = -300.0
    for seed, shape in ((11, {}), (-5, {"beta": 0.4, "gamma": -0.3, "zeta": 1.2}), (None, {})):
        expected, slope = reference_hard_concrete(logits, seed, **shape)
        leaf = logits.clone().requires_grad_()
        z = sg.ops.hard_concrete(leaf, **shape, training=seed is not None, seed=seed)
        assert z.dtype == dtype
        torch.testing.assert_close(z.double(), expected, rtol=0, atol=TOLERANCE[dtype])
        assert ((z >= 0) & (z <= 1)).all()
        (found,) = torch.autograd.grad(z.sum(), leaf)
        inside = (expected == 0) | (expected == 1) | ((expected - 0.5).abs() < 0.4999)
        wanted = slope[inside]
        torch.testing.assert_close(
            found.double()[inside], wanted, rtol=0, atol=10 * TOLERANCE[dtype]
        )


def test_extreme_logits_are_closed_or_open_and_nan_stays(isa: int) -> None:
    logits = torch.tensor([math.inf, -math.inf, 1e30, -1e30, math.nan])
    for training in (False, True):
        z = sg.ops.hard_concrete(logits, training=training, seed=1)
        assert z[:4].tolist() == [1.0, 0.0, 1.0, 0.0]
        assert z[4].isnan()


@pytest.mark.parametrize("threads", [1, 3])
def test_same_bits_for_every_thread_count_and_layout(threads: int) -> None:
    wide = torch.randn(100_001, 2)
    torch.set_num_threads(1)
    expected = sg.ops.hard_concrete(wide[:, 0].contiguous(), seed=3)
    torch.set_num_threads(threads)
    assert torch.equal(sg.ops.hard_concrete(wide[:, 0], seed=3), expected)
    assert torch.equal(sg.ops.hard_concrete(wide[:, 0], seed=torch.tensor([3])), expected)
    assert not torch.equal(sg.ops.hard_concrete(wide[:, 0], seed=4), expected)


@pytest.mark.parametrize("training", [False, True])
def test_derivatives(training: bool) -> None:
    logits = torch.linspace(-1.5, 1.5, 40, dtype=torch.float64, requires_grad=True)

    def function(x: Tensor) -> Tensor:
        return sg.ops.hard_concrete(x, training=training, seed=2)

    assert gradcheck(function, (logits,))
    assert gradgradcheck(function, (logits,))


def test_gates_are_learnt_through_spmm() -> None:
    g = adversarial_graph("random").graph()
    x = torch.randn(g.num_src, 5, dtype=torch.float64)
    logits = torch.randn(g.num_edges, dtype=torch.float64, requires_grad=True)
    y = sg.ops.spmm(g, x, edge_mask=sg.ops.hard_concrete(logits, seed=8))
    upstream = torch.randn_like(y)
    (found,) = torch.autograd.grad(y, logits, upstream)
    gates, slope = reference_hard_concrete(logits.detach(), 8)
    torch.testing.assert_close(sg.ops.spmm(g, x, gates), y.detach())
    torch.testing.assert_close(found, slope * sg.ops.sddmm(g, upstream, x))


def test_the_share_of_closed_gates_is_what_the_penalty_says() -> None:
    for logit in (-2.0, 0.0, 1.5):
        logits = torch.full((200_000,), logit)
        z = sg.ops.hard_concrete(logits, seed=6)
        expected = float(sg.ops.hard_concrete_open(logits)[0])
        share = float((z > 0).double().mean())
        assert abs(share - expected) < 5 * math.sqrt(expected * (1 - expected) / logits.numel())
    closed = torch.tensor(2 / 3 * math.log(0.1 / 1.1), dtype=torch.float64)
    assert float(sg.ops.hard_concrete_open(closed)) == pytest.approx(0.5, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [None, torch.tensor([5])], ids=["evaluation", "training"])
def test_opcheck_and_one_graph(seed: Tensor | None) -> None:
    logits = torch.randn(30, requires_grad=True)
    shape = (2 / 3, -0.1, 1.1)
    torch.library.opcheck(OP.default, (logits, seed, *shape))
    torch.library.opcheck(GRAD.default, (torch.randn(30), logits, seed, *shape))

    def step(x: Tensor) -> Tensor:
        return sg.ops.hard_concrete(x, training=seed is not None, seed=seed).square().sum()

    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    for function in (step, compiled):
        (found,) = torch.autograd.grad(function(logits), logits)
        _, slope = reference_hard_concrete(logits.detach(), None if seed is None else 5)
        z, _ = reference_hard_concrete(logits.detach(), None if seed is None else 5)
        torch.testing.assert_close(found.double(), 2 * z * slope, rtol=0, atol=1e-4)


def test_bad_input_is_one_sentence() -> None:
    logits = torch.randn(4)
    for arguments, message in (
        ({"beta": 0.0}, "beta must be positive"),
        ({"gamma": 0.5}, "gamma must be zero or negative"),
        ({"zeta": 0.5}, "zeta must be one or larger"),
        ({"beta": math.nan}, "beta must be positive"),
        ({"seed": torch.tensor([1, 2])}, "seed must"),
    ):
        with pytest.raises(ValueError, match=message):
            sg.ops.hard_concrete(logits, **arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="logits must"):
        sg.ops.hard_concrete(torch.randn(2, 2))
    with pytest.raises((ValueError, RuntimeError), match="logits must"):
        OP(torch.randn(4).half(), None, 0.5, -0.1, 1.1)
    assert sg.ops.hard_concrete(torch.randn(4).half()).dtype == torch.float32
    with pytest.raises((ValueError, RuntimeError), match="grad must"):
        GRAD(torch.randn(5), logits, None, 0.5, -0.1, 1.1)
    for arguments, message in (
        ({"gamma": 0.0}, "gamma must be negative"),
        ({"beta": -1.0}, "beta and zeta must be positive"),
    ):
        with pytest.raises(ValueError, match=message):
            sg.ops.hard_concrete_open(logits, **arguments)  # type: ignore[arg-type]
    for function in (sg.ops.hard_concrete, sg.ops.hard_concrete_open):
        with pytest.raises(TypeError, match="logits must be float32"):
            function(torch.ones(3, dtype=torch.int64))
