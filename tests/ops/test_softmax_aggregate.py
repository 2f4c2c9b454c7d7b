from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

import sparsegnn as sg
from sparsegnn.testing import (
    ADVERSARIAL,
    adversarial_graph,
    assert_close,
    reference_softmax_aggregate,
)

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
WIDTHS = [0, 1, 3, 8, 16, 33, 64, 130, 257]


def features(g: sg.Graph, width: int, dtype: torch.dtype) -> Tensor:
    """Multiples of 1/8, exact in 16 bits: no rounding decides on which side of zero they lie."""
    return torch.randint(-16, 17, (g.num_src, width)).to(dtype) / 8


def compare(g: sg.Graph, x: Tensor, t: Tensor, keep: Tensor | None, eps: float | None) -> None:
    """Value and gradients against the reference."""
    t = t.to(torch.float64 if x.dtype == torch.float64 else torch.float32)
    leaves = [x.detach().clone().requires_grad_(), t.clone().requires_grad_()]
    y = sg.ops.softmax_aggregate(g, *leaves, keep, eps=eps)
    assert y.dtype == x.dtype and y.shape == (g.num_dst, x.shape[1])
    upstream = torch.randn(y.shape).to(x.dtype)
    grads = torch.autograd.grad(y, leaves, upstream)
    exact = [x.detach().double().requires_grad_(), t.detach().double().requires_grad_()]
    expected = reference_softmax_aggregate(g.edge_index, g.num_dst, *exact, keep, eps=eps)
    wanted = torch.autograd.grad(
        expected, exact, upstream.double(), allow_unused=True, materialize_grads=True
    )
    assert_close(y, expected.detach())
    # A source may send along many edges, and t is used by all of them: rounding grows with roots.
    terms = (max(1, int(g.out_degree().max()) if g.num_src else 1), max(1, g.num_edges) * 4)
    for actual, true, count in zip(grads, wanted, terms, strict=True):
        scale = max(1.0, count**0.5 / 4)
        assert_close(actual / scale, true / scale, x.dtype)


@pytest.mark.parametrize("name", ADVERSARIAL)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_adversarial_graphs(isa: int, name: str, dtype: torch.dtype) -> None:
    g = adversarial_graph(name).graph()
    x = features(g, 20, dtype)
    per_channel = torch.rand(20) * 2 - 0.5
    none = torch.zeros(g.num_edges, dtype=torch.bool)
    compare(g, x, torch.tensor(1.0), None, 1e-2)
    compare(g, x, per_channel, torch.rand(g.num_edges) > 0.4, None)
    compare(g, x, per_channel, none, 1e-7)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_widths(isa: int, width: int, dtype: torch.dtype) -> None:
    g = adversarial_graph("hub column").graph()
    compare(g, features(g, width, dtype), torch.rand(width), torch.rand(g.num_edges) > 0.2, 0.1)
    compare(g.transpose(), features(g.transpose(), width, dtype), torch.rand(width), None, None)


def star(values: Tensor) -> sg.Graph:
    """One target with an edge from each of the rows of `values`, in their order."""
    count = values.shape[0]
    edges = torch.stack([torch.arange(count), torch.zeros(count, dtype=torch.int64)])
    return sg.Graph.from_edge_index(edges, num_src=count, num_dst=1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("t", [1.0, -1.0, 30.0, 0.0])
def test_rising_and_falling_exponents(isa: int, dtype: torch.dtype, t: float) -> None:
    """Every few edges of a long row move the maximum; sums must never overflow or vanish."""
    ramp = torch.linspace(-40, 40, 700, dtype=dtype)
    x = torch.stack([ramp, ramp.flip(0), ramp[torch.randperm(700)], torch.zeros(700, dtype=dtype)])
    g = star(x.t())
    y = sg.ops.softmax_aggregate(g, x.t(), t)
    assert_close(y, reference_softmax_aggregate(g.edge_index, 1, x.t(), t), dtype)


def test_a_row_far_below_the_others_keeps_its_weights(isa: int) -> None:
    """Exponents 2000 below those of another row: relative to that row's they would all vanish."""
    x = torch.tensor([[1000.0], [-1000.0], [-1000.5], [-1001.0]])
    edges = torch.tensor([[0, 1, 2, 3], [0, 1, 1, 1]])
    g = sg.Graph.from_edge_index(edges, 4)
    y = sg.ops.softmax_aggregate(g, x)
    assert_close(y, reference_softmax_aggregate(edges, 4, x))
    assert y[1] > -1000.6 and y[0] == 1000


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("t", [4.0, -2.0])
def test_large_messages_lose_no_bits(isa: int, dtype: torch.dtype, t: float) -> None:
    """Exponents of a million that differ by little, both ways: the differences decide."""
    x = (2.0**18 + torch.randint(0, 4, (60, 7)) / 4).to(dtype).requires_grad_()
    exact = x.detach().double().requires_grad_()
    g, upstream = star(x), torch.randn(1, 7, dtype=dtype)
    y = sg.ops.softmax_aggregate(g, x, t)
    expected = reference_softmax_aggregate(g.edge_index, 1, exact, t)
    torch.testing.assert_close(
        y.double(), expected, rtol=0, atol=0.1
    )  # three units of the last place
    (grad,) = torch.autograd.grad(y, x, upstream)
    (wanted,) = torch.autograd.grad(expected, exact, upstream.double())
    torch.testing.assert_close(grad.double(), wanted, rtol=0, atol=0.1 * float(wanted.abs().max()))


@pytest.mark.parametrize("eps", [None, 1e-3])
def test_nan_and_infinities_stay_in_their_column(isa: int, eps: float | None) -> None:
    x = torch.randn(40, 5)
    x[3, 1], x[4, 2], x[5, 3] = torch.nan, torch.inf, -torch.inf
    g = star(x)
    leaf = x.requires_grad_()
    y = sg.ops.softmax_aggregate(g, leaf, eps=eps)
    bad = [False, True, True, eps is None, False]  # relu makes a number of -inf
    assert y.isnan()[0].tolist() == bad
    (grad,) = torch.autograd.grad(y.sum(), leaf)
    assert grad.isfinite().all(dim=0).tolist() == [not b for b in bad]


def test_a_dropped_edge_never_leaks(isa: int) -> None:
    g = adversarial_graph("random").graph()
    x = torch.randn(g.num_src, 24)
    x[1::2] = torch.nan
    x.requires_grad_()
    y = sg.ops.softmax_aggregate(g, x, 2.0, g.edge_index[0] % 2 == 0, eps=0.1)
    (grad,) = torch.autograd.grad(y.square().sum(), x)
    assert y.isfinite().all() and grad[::2].isfinite().all()


def test_bool_mask_mask_and_smaller_graph_agree(isa: int) -> None:
    g = adversarial_graph("random").graph()
    x, keep = torch.randn(g.num_src, 24), torch.rand(g.num_edges) > 0.5
    y = sg.ops.softmax_aggregate(g, x, 0.7, keep, eps=0.1)
    packed = sg.ops.softmax_aggregate(g, x, 0.7, sg.Mask.from_bool(keep), eps=0.1)
    assert torch.equal(y, packed)
    assert_close(sg.ops.softmax_aggregate(g.select(keep), x, 0.7, eps=0.1), y)


@pytest.mark.parametrize("learn", ["scalar", "one element", "channels"])
def test_agrees_with_pyg(learn: str) -> None:
    from torch_geometric.nn.aggr import SoftmaxAggregation

    edges = adversarial_graph("random")
    g = edges.graph()
    theirs = SoftmaxAggregation(0.5, learn=True, channels=6 if learn == "channels" else 1)
    t = theirs.t.detach().clone().requires_grad_()
    x = torch.randn(edges.num_src, 6, requires_grad=True)
    messages = x[edges.edge_index[0]].relu() + 1e-7
    expected = theirs(messages, edges.edge_index[1], dim_size=edges.num_dst, dim=0)
    actual = sg.ops.softmax_aggregate(g, x, t.squeeze() if learn == "scalar" else t, eps=1e-7)
    assert_close(actual.detach(), expected.detach())
    upstream = torch.randn_like(expected)
    wanted = torch.autograd.grad(expected, (x, theirs.t), upstream)
    grads = torch.autograd.grad(actual, (x, t), upstream)
    for left, right in zip(grads, wanted, strict=True):
        assert_close(left, right.view_as(left))


@pytest.mark.parametrize("eps", [None, 0.3])
@pytest.mark.parametrize("name", ["random", "parallel edges", "isolated nodes", "no edges"])
def test_gradcheck(name: str, eps: float | None) -> None:
    g = adversarial_graph(name).graph()
    keep = torch.rand(g.num_edges) > 0.3
    x = torch.randn(g.num_src, 3, dtype=torch.float64).requires_grad_()
    for t in (torch.rand((), dtype=torch.float64), torch.rand(3, dtype=torch.float64)):

        def function(*leaves: Tensor) -> Tensor:
            return sg.ops.softmax_aggregate(g, *leaves, keep, eps=eps)

        assert gradcheck(function, (x, t.requires_grad_()), fast_mode=True)


def test_a_second_derivative_is_refused() -> None:
    g = adversarial_graph("random").graph()
    x = torch.randn(g.num_src, 4, requires_grad=True)
    y = sg.ops.softmax_aggregate(g, x).square().sum()
    (grad,) = torch.autograd.grad(y, x, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative"):
        grad.sum().backward()


def test_only_what_is_asked_for_is_computed() -> None:
    g = adversarial_graph("random").graph()
    x, t = torch.randn(g.num_src, 4), torch.tensor(0.5)
    arguments = (*g.csr, x, t.expand(4).contiguous(), None, True, 0.1)
    assert torch.ops.sparsegnn.softmax_aggregate(*arguments, False)[1].numel() == 0
    both = torch.autograd.grad(
        sg.ops.softmax_aggregate(g, x.requires_grad_(), t.requires_grad_(), eps=0.1).sum(), (x, t)
    )
    for leaf, expected in zip((x, t), both, strict=True):
        given = [p if p is leaf else p.detach() for p in (x, t)]
        y = sg.ops.softmax_aggregate(g, *given, eps=0.1)
        (alone,) = torch.autograd.grad(y.sum(), leaf)
        assert torch.equal(alone, expected)


def test_strided_inputs(isa: int) -> None:
    g = adversarial_graph("random").graph()
    wide = torch.randn(g.num_src, 48)
    for x in (wide[:, 5:29], wide[:, ::2], torch.randn(24, g.num_src).t()):
        leaves = [x.detach().requires_grad_(), x.contiguous().requires_grad_()]
        results = [sg.ops.softmax_aggregate(g, leaf, 0.5) for leaf in leaves]
        assert torch.equal(*results)
        upstream = torch.randn(24, g.num_dst).t()
        grads = [
            torch.autograd.grad(r, leaf, u)[0]
            for r, leaf, u in zip(results, leaves, (upstream, upstream.contiguous()), strict=True)
        ]
        assert torch.equal(*grads)
    x = wide.requires_grad_()  # the gradient of a sum is one number, expanded
    (grad,) = torch.autograd.grad(sg.ops.softmax_aggregate(g, x).sum(), x)
    ones = torch.ones(g.num_dst, 48)
    (expected,) = torch.autograd.grad(sg.ops.softmax_aggregate(g, x), x, ones)
    assert torch.equal(grad, expected)


def test_64_bit_indices_by_a_lowered_limit(isa: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparsegnn.graph._INT32_LIMIT", 10)
    g = adversarial_graph("random").graph()
    assert g.rowptr.dtype == torch.int64
    x = features(g, 20, torch.float32)
    compare(g, x, torch.rand(20), torch.rand(g.num_edges) > 0.3, 0.1)


@pytest.mark.parametrize("threads", [2, 5])
def test_same_bits_for_every_thread_count(threads: int) -> None:
    g = sg.testing.power_law_graph(1000, 20000)

    def run() -> list[Tensor]:
        generator = torch.Generator().manual_seed(3)
        x = torch.randn(1000, 40, generator=generator).requires_grad_()
        t = torch.tensor(0.7, requires_grad=True)
        y = sg.ops.softmax_aggregate(g, x, t, eps=1e-7)
        return [y, *torch.autograd.grad(y.square().sum(), (x, t))]

    torch.set_num_threads(1)
    expected = run()
    torch.set_num_threads(threads)
    assert all(map(torch.equal, run(), expected))


def test_large_results_are_written_past_the_caches(isa: int) -> None:
    """Over 32 MB of results, in whole lines."""
    g = sg.testing.power_law_graph(70_000, 3000)
    x = torch.randn(70_000, 128, requires_grad=True)
    keep = torch.rand(3000) > 0.5
    y = sg.ops.softmax_aggregate(g, x, 1.0, keep)
    (grad,) = torch.autograd.grad(y.square().sum(), x)
    part = x[:, :48].detach().requires_grad_()
    narrow = sg.ops.softmax_aggregate(g, part, 1.0, keep)
    (expected,) = torch.autograd.grad(narrow.square().sum(), part)
    assert torch.equal(y[:, :48], narrow)
    assert torch.equal(grad[:, :48], expected)


def test_autocast_leaves_the_features_alone() -> None:
    g = adversarial_graph("random").graph()
    x = torch.randn(g.num_src, 8)
    expected = sg.ops.softmax_aggregate(g, x, eps=0.1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(sg.ops.softmax_aggregate(g, x, eps=0.1), expected)


@pytest.mark.slow
def test_compiles_to_one_graph() -> None:
    g = adversarial_graph("random").graph()

    def step(x: Tensor, t: Any) -> Tensor:
        return sg.ops.softmax_aggregate(g, x, t, eps=0.1).square()

    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    x = torch.randn(g.num_src, 8, requires_grad=True)
    assert torch.equal(compiled(x, 0.5), step(x, 0.5))
    t = torch.rand(8, requires_grad=True)
    expected = torch.autograd.grad(step(x, t).sum(), (x, t))
    actual = torch.autograd.grad(compiled(x, t).sum(), (x, t))
    for left, right in zip(actual, expected, strict=True):
        torch.testing.assert_close(left, right)
