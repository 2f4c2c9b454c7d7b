from typing import Any

import pytest
import torch
from torch.autograd import gradcheck

import sparsegnn as sg
from sparsegnn.testing import ADVERSARIAL, adversarial_graph, assert_close, reference_gatv2

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
SHAPES = [(1, 64), (4, 64), (8, 8), (1, 1), (2, 3), (3, 16), (5, 7), (17, 4), (16, 1), (3, 130)]


def kind(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def inputs(g: sg.Graph, heads: int, width: int, dtype: torch.dtype) -> list[torch.Tensor]:
    """x, x_dst and att. Sums of features are exact in 16 bits: no rounding decides their sign."""
    source, target = (
        torch.randint(-16, 17, (n, heads, width)).to(dtype) / 8 for n in (g.num_src, g.num_dst)
    )
    return [source, target, torch.randn(heads, width, dtype=kind(dtype)) / width**0.5]


def compare(
    g: sg.Graph, leaves: list[torch.Tensor], keep: torch.Tensor | None, **options: Any
) -> None:
    """Value and all gradients against the reference, whose rounding the storage type decides."""
    x, dtype = leaves[0], leaves[0].dtype
    ours = [t.detach().clone().requires_grad_() for t in leaves]
    y = sg.ops.gatv2(g, *ours, keep, **options)
    assert y.dtype == dtype
    upstream = torch.randn(y.shape).to(dtype)
    grads = torch.autograd.grad(y, ours, upstream)
    theirs = [t.detach().double().requires_grad_() for t in leaves]
    factor = None
    if options.get("dropout"):
        ones = torch.ones(g.num_edges, x.shape[1], dtype=torch.float64)
        factor = sg.ops.dropout(ones, options["dropout"], options["seed"])
    exact = reference_gatv2(
        g.edge_index, *theirs, keep, negative_slope=options["negative_slope"], keep=factor
    )
    expected = torch.autograd.grad(exact, theirs, upstream.double(), allow_unused=True)
    assert_close(y, exact.detach(), dtype)
    # Gradients are differences of dot products of D terms, summed over the edges of a node, that of
    # att over all edges with sums of features up to 4: rounding grows with the roots of both.
    degree = int(max(g.in_degree().max(), g.out_degree().max())) if g.num_edges else 0
    for actual, wanted, terms in zip(
        grads, expected, (degree, degree, 16 * g.num_edges), strict=True
    ):
        scale = max(1.0, (x.shape[2] * terms) ** 0.5 / 8)
        true = torch.zeros_like(actual) if wanted is None else wanted
        assert_close(actual / scale, true / scale, dtype)


@pytest.mark.parametrize("name", ADVERSARIAL)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_adversarial_graphs(isa: int, name: str, dtype: torch.dtype) -> None:
    g = adversarial_graph(name).graph()
    leaves = inputs(g, 4, 16, dtype)
    masks = (None, torch.rand(g.num_edges) > 0.4, torch.zeros(g.num_edges, dtype=torch.bool))
    for keep in masks[: 2 if name == "hub row" else 3]:
        compare(g, leaves, keep, negative_slope=0.2)
    compare(g, leaves, masks[1], negative_slope=0.2, dropout=0.4, seed=7)


@pytest.mark.parametrize("heads,width", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_shape(isa: int, heads: int, width: int, dtype: torch.dtype) -> None:
    g = adversarial_graph("hub column" if heads == 3 else "random").graph()
    leaves = inputs(g, heads, width, dtype)
    compare(g, leaves, torch.rand(g.num_edges) > 0.2, negative_slope=0.2)
    compare(g, leaves, None, negative_slope=1.0)


def test_no_heads_and_no_features(isa: int) -> None:
    g = adversarial_graph("random").graph()
    for heads, width in ((0, 4), (2, 0)):
        leaves = [t.requires_grad_() for t in inputs(g, heads, max(width, 1), torch.float32)]
        leaves = [t.detach()[..., :width].requires_grad_() for t in leaves]
        y = sg.ops.gatv2(g, *leaves)
        assert y.shape == (g.num_dst, heads, width)
        torch.autograd.grad(y.sum(), leaves)


def test_large_scores_and_rising_maxima(isa: int) -> None:
    """One target with 500 edges whose scores rise or fall: every block moves the maximum."""
    g = sg.Graph.from_edge_index(
        torch.stack([torch.arange(500), torch.zeros(500, dtype=torch.int64)]), 500
    )
    for ramp in (torch.linspace(-40, 40, 500), torch.linspace(40, -40, 500)):
        leaves = inputs(g, 2, 8, torch.float64)
        leaves[0] = leaves[0] + ramp.double().view(-1, 1, 1)
        compare(g, leaves, None, negative_slope=0.2)


def test_a_dropped_edge_never_leaks(isa: int) -> None:
    g = adversarial_graph("random").graph()
    leaves = inputs(g, 4, 16, torch.float32)
    keep = g.edge_index[0] % 2 == 0
    leaves[0][1::2] = torch.nan
    leaves = [t.requires_grad_() for t in leaves]
    y = sg.ops.gatv2(g, *leaves, keep)
    assert y.isfinite().all()
    grads = torch.autograd.grad(y.square().sum(), leaves)
    assert all(grad.isfinite().all() for grad in grads)
    assert grads[0][1::2].eq(0).all()


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("name", ["random", "parallel edges", "isolated nodes", "no edges"])
def test_gradcheck(name: str, dropout: float) -> None:
    g = adversarial_graph(name).graph()
    keep = torch.rand(g.num_edges) > 0.3
    sizes = ((g.num_src, 2, 3), (g.num_dst, 2, 3), (2, 3))
    leaves = tuple(torch.randn(size, dtype=torch.float64).requires_grad_() for size in sizes)

    def function(*t: torch.Tensor) -> torch.Tensor:
        return sg.ops.gatv2(g, *t, keep, dropout=dropout, seed=11)

    assert gradcheck(function, leaves, fast_mode=True)


def test_a_second_derivative_is_refused() -> None:
    g = adversarial_graph("random").graph()
    leaves = [t.requires_grad_() for t in inputs(g, 2, 3, torch.float64)]
    y = sg.ops.gatv2(g, *leaves).square().sum()
    (grad,) = torch.autograd.grad(y, leaves[0], create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative"):
        grad.sum().backward()


def test_drawn_seeds_follow_the_generator() -> None:
    g = adversarial_graph("random").graph()
    leaves = inputs(g, 2, 3, torch.float32)
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(sg.ops.gatv2(g, *leaves, dropout=0.5))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert sg.ops.gatv2(g, *leaves, dropout=1.0).eq(0).all()


def test_strided_inputs() -> None:
    g = adversarial_graph("random").graph()
    x, x_dst = (
        torch.randn(g.num_src, 2, 24)[:, :, ::2],
        torch.randn(2, g.num_dst, 12).transpose(0, 1),
    )
    att = torch.randn(12, 2).t()
    expected = sg.ops.gatv2(g, x.contiguous(), x_dst.contiguous(), att.contiguous())
    assert torch.equal(sg.ops.gatv2(g, x, x_dst, att), expected)


def test_64_bit_indices_by_a_lowered_limit(isa: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparsegnn.graph._INT32_LIMIT", 10)
    g = adversarial_graph("random").graph()
    assert g.rowptr.dtype == torch.int64
    leaves = inputs(g, 4, 16, torch.float32)
    compare(g, leaves, torch.rand(g.num_edges) > 0.3, negative_slope=0.2, dropout=0.2, seed=5)


@pytest.mark.parametrize("threads", [2, 5])
def test_same_bits_for_every_thread_count(threads: int) -> None:
    g = sg.testing.power_law_graph(1000, 20000)

    def run() -> list[torch.Tensor]:
        torch.manual_seed(3)
        leaves = [t.requires_grad_() for t in inputs(g, 4, 8, torch.float32)]
        y = sg.ops.gatv2(g, *leaves, dropout=0.3, seed=1)
        return [y, *torch.autograd.grad(y.square().sum(), leaves)]

    torch.set_num_threads(1)
    expected = run()
    torch.set_num_threads(threads)
    assert all(map(torch.equal, run(), expected))


@pytest.mark.slow
def test_compiles_to_one_graph() -> None:
    def step(g: sg.Graph, *t: torch.Tensor) -> torch.Tensor:
        return sg.ops.gatv2(g, *t, dropout=0.5, seed=1).square()

    g = adversarial_graph("random").graph()
    leaves = [t.requires_grad_() for t in inputs(g, 4, 8, torch.float32)]
    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    expected = torch.autograd.grad(step(g, *leaves).sum(), leaves)
    actual = torch.autograd.grad(compiled(g, *leaves).sum(), leaves)
    for left, right in zip(actual, expected, strict=True):
        torch.testing.assert_close(left, right)
