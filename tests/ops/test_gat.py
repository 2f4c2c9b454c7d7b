from typing import Any

import pytest
import torch
from torch.autograd import gradcheck

import sparsegnn as sg
from sparsegnn.testing import ADVERSARIAL, adversarial_graph, assert_close, reference_gat

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
SHAPES = [(1, 64), (4, 16), (8, 8), (1, 1), (2, 3), (3, 16), (5, 7), (17, 4), (16, 1), (3, 130)]


def kind(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def inputs(g: sg.Graph, heads: int, width: int, dtype: torch.dtype) -> list[torch.Tensor]:
    acc = kind(dtype)
    return [
        torch.randn(g.num_src, heads, width).to(dtype),
        2 * torch.randn(g.num_dst, heads, dtype=acc),
        2 * torch.randn(g.num_src, heads, dtype=acc),
        torch.randn(g.num_edges, heads, dtype=acc),
    ]


def compare(
    g: sg.Graph, leaves: list[torch.Tensor], keep: torch.Tensor | None, **options: Any
) -> None:
    """Value and all gradients against the reference, whose rounding the storage type decides."""
    x, dtype = leaves[0], leaves[0].dtype
    ours = [t.detach().clone().requires_grad_() for t in leaves]
    y = sg.ops.gat(g, *ours[:3], keep, *ours[3:], **options)
    assert y.dtype == dtype
    upstream = torch.randn(y.shape).to(dtype)
    grads = torch.autograd.grad(y, ours, upstream)
    theirs = [t.detach().double().requires_grad_() for t in leaves]
    factor = None
    if options.get("dropout"):
        ones = torch.ones(g.num_edges, x.shape[1], dtype=torch.float64)
        factor = sg.ops.dropout(ones, options["dropout"], options["seed"])
    exact = reference_gat(
        g.edge_index, *theirs[:3], keep, *theirs[3:], negative_slope=options["negative_slope"],
        keep=factor,
    )  # fmt: skip
    expected = torch.autograd.grad(exact, theirs, upstream.double(), allow_unused=True)
    assert_close(y, exact.detach(), dtype)
    # Gradients of scores are differences of dot products of D terms, summed over a node's edges:
    # rounding grows with the roots of both.
    degree = int(max(g.in_degree().max(), g.out_degree().max())) if g.num_edges else 0
    scale = max(1.0, (x.shape[2] * degree) ** 0.5 / 8)
    for actual, wanted in zip(grads, expected, strict=True):
        exact = torch.zeros_like(actual) if wanted is None else wanted
        assert_close(actual / scale, exact / scale, dtype)


@pytest.mark.parametrize("name", ADVERSARIAL)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_adversarial_graphs(isa: int, name: str, dtype: torch.dtype) -> None:
    g = adversarial_graph(name).graph()
    leaves = inputs(g, 4, 16, dtype)
    masks = (None, torch.rand(g.num_edges) > 0.4, torch.zeros(g.num_edges, dtype=torch.bool))
    for keep in masks[: 2 if name == "hub row" else 3]:
        compare(g, leaves, keep, negative_slope=0.2)
    compare(g, leaves[:3], masks[1], negative_slope=0.2, dropout=0.4, seed=7)


@pytest.mark.parametrize("heads,width", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_shape(isa: int, heads: int, width: int, dtype: torch.dtype) -> None:
    g = adversarial_graph("hub column" if heads == 3 else "random").graph()
    leaves = inputs(g, heads, width, dtype)
    compare(g, leaves, torch.rand(g.num_edges) > 0.2, negative_slope=0.2)
    compare(g, leaves, None, negative_slope=1.0)


@pytest.mark.parametrize("negative_slope", [0.0, 1.0, -0.5, 2.0])
def test_slopes_and_dropout(isa: int, negative_slope: float) -> None:
    g = adversarial_graph("random").graph()
    leaves = inputs(g, 3, 5, torch.float64)
    compare(g, leaves, None, negative_slope=negative_slope)
    compare(g, leaves, None, negative_slope=negative_slope, dropout=0.6, seed=-3)


def test_long_rows_rescale_between_blocks(isa: int) -> None:
    """Scores that grow along a row: every block raises the maximum; -inf weighs zero."""
    target = torch.zeros(500, dtype=torch.int64)
    g = sg.Graph.from_edge_index(torch.stack([torch.arange(500), target]), 500)
    for ramp in (torch.linspace(-300, 300, 500), torch.linspace(300, -300, 500)):
        leaves = inputs(g, 2, 8, torch.float64)
        leaves[2] = ramp.double().unsqueeze(1).repeat(1, 2)
        compare(g, leaves[:3], None, negative_slope=0.2)
    x, s_dst, s_src, _ = inputs(g, 2, 8, torch.float32)
    s_src[:400] = -torch.inf
    expected = sg.ops.gat(g, x, s_dst, s_src.nan_to_num(neginf=-1e30))
    torch.testing.assert_close(sg.ops.gat(g, x, s_dst, s_src), expected)


def test_a_dropped_edge_never_leaks(isa: int) -> None:
    g = adversarial_graph("random").graph()
    x, s_dst, s_src, score = inputs(g, 4, 16, torch.float32)
    source = g.edge_index[0]
    keep = source % 2 == 0
    x[1::2], s_src[1::2] = torch.nan, torch.inf
    score[~keep] = torch.nan
    leaves = [t.requires_grad_() for t in (x, s_dst, s_src, score)]
    y = sg.ops.gat(g, *leaves[:3], keep, leaves[3])
    assert y.isfinite().all()
    grads = torch.autograd.grad(y.square().sum(), leaves)
    assert all(grad.isfinite().all() for grad in grads)
    assert grads[0][1::2].eq(0).all() and grads[3][~keep].eq(0).all()


def test_a_nan_gradient_stays_with_its_neighbours(isa: int) -> None:
    g = sg.Graph.from_edge_index(torch.tensor([[0, 1, 2], [0, 1, 1]]), 3)
    x = torch.randn(3, 2, 4, requires_grad=True)
    scores = torch.randn(3, 2)
    upstream = torch.zeros(3, 2, 4)
    upstream[0] = torch.nan
    (grad,) = torch.autograd.grad(sg.ops.gat(g, x, scores, scores), x, upstream)
    assert grad[0].isnan().all() and grad[1:].isfinite().all()


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("name", ["random", "parallel edges", "isolated nodes", "no edges"])
def test_gradcheck(name: str, dropout: float) -> None:
    g = adversarial_graph(name).graph()
    keep = torch.rand(g.num_edges) > 0.3
    leaves = tuple(t.requires_grad_() for t in inputs(g, 2, 3, torch.float64))

    def function(*t: torch.Tensor) -> torch.Tensor:
        return sg.ops.gat(g, *t[:3], keep, t[3], dropout=dropout, seed=11)

    assert gradcheck(function, leaves, fast_mode=True)


@pytest.mark.parametrize("keep_positive", [False, True])
def test_fake_cuda_tensors_give_cuda_results(keep_positive: bool) -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    g = adversarial_graph("random").graph()
    with FakeTensorMode():
        csr = [
            None if t is None else torch.empty(t.shape, dtype=t.dtype, device="cuda") for t in g.csr
        ]
        x = torch.empty(g.num_src, 3, 6, device="cuda", dtype=torch.float16)
        dst, src, score = (
            torch.empty(n, 3, device="cuda") for n in (g.num_dst, g.num_src, g.num_edges)
        )
        tensors, options = (x, dst, src, score, None), (0.2, 0.0, None)
        saved = torch.ops.sparsegnn.gat(*csr, *tensors, *options, keep_positive)
        kept = g.num_dst if keep_positive else 0
        assert [tuple(t.shape) for t in saved] == [
            *((g.num_dst, 3, 6), (g.num_dst, 3), (g.num_dst, 3), (kept, 3, 6), (kept, 3))
        ]
        stats, grad_dst = torch.ops.sparsegnn.gat_grad_targets(saved[0], dst, *saved, 0.2)
        assert (stats.shape, stats.dtype, stats.device) == ((g.num_dst, 12), dst.dtype, dst.device)
        grad_x, *grads = torch.ops.sparsegnn.gat_grad(
            *(*csr, saved[0], stats, x, src, score, None), *options, True
        )
        grads = grad_x, grad_dst, *grads
        for grad, leaf in zip(grads, tensors[:4], strict=True):
            assert (grad.shape, grad.dtype, grad.device) == (leaf.shape, leaf.dtype, leaf.device)


def test_a_second_derivative_is_refused() -> None:
    g = adversarial_graph("random").graph()
    x, s_dst, s_src, _ = (t.requires_grad_() for t in inputs(g, 2, 3, torch.float64))
    y = sg.ops.gat(g, x, s_dst, s_src).square().sum()
    (grad,) = torch.autograd.grad(y, x, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative"):
        grad.sum().backward()


def test_the_backward_frees_what_it_saved_unless_the_graph_is_kept() -> None:
    g = adversarial_graph("random").graph()
    leaves = [t.requires_grad_() for t in inputs(g, 2, 3, torch.float64)[:3]]
    y = sg.ops.gat(g, *leaves)
    first = torch.autograd.grad(y.sum(), leaves, retain_graph=True)
    again = torch.autograd.grad(y.sum(), leaves)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(y.sum(), leaves)


def test_drawn_seeds_follow_the_generator() -> None:
    g = adversarial_graph("random").graph()
    x, s_dst, s_src, _ = inputs(g, 2, 3, torch.float32)
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(sg.ops.gat(g, x, s_dst, s_src, dropout=0.5))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert sg.ops.gat(g, x, s_dst, s_src, dropout=1.0).eq(0).all()


def test_strided_inputs() -> None:
    g = adversarial_graph("random").graph()
    wide = torch.randn(g.num_src, 2, 24)
    s_dst, s_src = torch.randn(2, g.num_dst).t(), torch.randn(2, g.num_src).t()
    x = wide[:, :, ::2]
    expected = sg.ops.gat(g, x.contiguous(), s_dst.contiguous(), s_src.contiguous())
    assert torch.equal(sg.ops.gat(g, x, s_dst, s_src), expected)


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
        y = sg.ops.gat(g, *leaves[:3], None, leaves[3], dropout=0.3, seed=1)
        return [y, *torch.autograd.grad(y.square().sum(), leaves)]

    torch.set_num_threads(1)
    expected = run()
    torch.set_num_threads(threads)
    assert all(map(torch.equal, run(), expected))


@pytest.mark.slow
def test_compiles_to_one_graph() -> None:
    def step(g: sg.Graph, x: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return sg.ops.gat(g, x, a, b, dropout=0.5, seed=1).square()

    g = adversarial_graph("random").graph()
    leaves = [t.requires_grad_() for t in inputs(g, 4, 8, torch.float32)[:3]]
    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    expected = torch.autograd.grad(step(g, *leaves).sum(), leaves)
    actual = torch.autograd.grad(compiled(g, *leaves).sum(), leaves)
    for left, right in zip(actual, expected, strict=True):
        torch.testing.assert_close(left, right)
