import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import sparsegnn as sg
from sparsegnn.testing import (
    ADVERSARIAL,
    adversarial_graph,
    assert_close,
    reference_edge_scores,
    reference_edge_softmax,
)

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
HEADS = [1, 2, 3, 4, 7, 8, 16, 17, 33]


def kind(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


@pytest.mark.parametrize("name", ADVERSARIAL)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_adversarial_graphs(isa: int, name: str, dtype: torch.dtype) -> None:
    edges = adversarial_graph(name)
    g, e = edges.graph(), edges.edge_index.shape[1]
    scores = (5 * torch.randn(e, 3)).to(dtype)
    s_dst = torch.randn(edges.num_dst, 3).to(dtype)
    s_src = torch.randn(edges.num_src, 3).to(dtype)
    for keep in (None, torch.rand(e) > 0.4, torch.zeros(e, dtype=torch.bool)):
        actual = sg.ops.edge_softmax(g, scores, keep)
        expected = reference_edge_softmax(edges.edge_index, edges.num_dst, scores, keep)
        assert actual.dtype == kind(dtype)
        assert_close(actual, expected)
        sums = sg.ops.edge_scores(g, s_dst, s_src, keep, negative_slope=0.2)
        exact = reference_edge_scores(edges.edge_index, s_dst, s_src, keep, 0.2)
        assert sums.dtype == kind(dtype)
        assert_close(sums, exact)


@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_every_number_of_heads(isa: int, heads: int, dtype: torch.dtype) -> None:
    edges = adversarial_graph("hub row")
    g, e = edges.graph(), edges.edge_index.shape[1]
    scores, keep = 4 * torch.randn(e, heads, dtype=dtype), torch.rand(e) > 0.3
    expected = reference_edge_softmax(edges.edge_index, edges.num_dst, scores, keep)
    assert_close(sg.ops.edge_softmax(g, scores, keep), expected)


def test_one_vector_of_scores_and_sddmm_add() -> None:
    edges = adversarial_graph("random")
    g, scores = edges.graph(), torch.randn(400)
    matrix = sg.ops.edge_softmax(g, scores.unsqueeze(1))
    assert torch.equal(sg.ops.edge_softmax(g, scores), matrix.squeeze(1))
    a, b = torch.randn(edges.num_dst, 5), torch.randn(edges.num_src, 5)
    assert torch.equal(sg.ops.sddmm(g, a, b, op="add"), sg.ops.edge_scores(g, a, b))


def test_strided_scores() -> None:
    edges = adversarial_graph("random")
    g, scores = edges.graph(), torch.randn(4, 400).t()
    assert torch.equal(sg.ops.edge_softmax(g, scores), sg.ops.edge_softmax(g, scores.contiguous()))


@pytest.mark.parametrize("size", [3, 200])
def test_extreme_scores(isa: int, size: int) -> None:
    """-inf weighs zero wherever it stands, dropped NaN is absent, kept NaN comes through."""
    target = torch.zeros(size, dtype=torch.int64)
    g = sg.Graph.from_edge_index(torch.stack([target, target]), 1)
    scores = torch.full((size,), -torch.inf)
    scores[-1] = -1e30
    assert sg.ops.edge_softmax(g, scores).tolist() == [0.0] * (size - 1) + [1.0]
    scores[0] = torch.nan
    assert sg.ops.edge_softmax(g, scores).isnan().all()
    keep = torch.ones(size, dtype=torch.bool)
    keep[0] = False
    assert sg.ops.edge_softmax(g, scores, keep).tolist() == [0.0] * (size - 1) + [1.0]
    huge = torch.full((size,), 3e38)
    torch.testing.assert_close(sg.ops.edge_softmax(g, huge), torch.full((size,), 1 / size))


def test_exponential_is_within_two_ulp(isa: int) -> None:
    """Two edges a target, scores 0 and x: the ratio of the two is e^x, rounded twice."""
    x = torch.linspace(-87, 0, 20001)
    nodes = torch.arange(x.numel())
    g = sg.Graph.from_edge_index(torch.stack([nodes, nodes]).repeat(1, 2), x.numel())
    out = sg.ops.edge_softmax(g, torch.cat([torch.zeros_like(x), x])).view(2, -1)
    exact = x.double().exp()
    error = (out[1].double() / out[0].double() - exact).abs() / exact
    assert float(error.max()) < (2 + 2) * 2.0**-23


def test_64_bit_indices_by_a_lowered_limit(isa: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparsegnn.graph._INT32_LIMIT", 10)
    edges = adversarial_graph("random")
    g, scores, keep = edges.graph(), torch.randn(400, 4), torch.rand(400) > 0.5
    assert g.rowptr.dtype == torch.int64
    expected = reference_edge_softmax(edges.edge_index, edges.num_dst, scores, keep)
    assert_close(sg.ops.edge_softmax(g, scores, keep), expected)
    a, b = torch.randn(edges.num_dst, 4), torch.randn(edges.num_src, 4)
    assert_close(
        sg.ops.edge_scores(g, a, b, keep), reference_edge_scores(edges.edge_index, a, b, keep)
    )


@pytest.mark.parametrize("threads", [2, 5])
def test_same_bits_for_every_thread_count(threads: int) -> None:
    g = sg.testing.power_law_graph(1000, 20000)
    scores, grad = torch.randn(20000, 4), torch.randn(20000, 4)
    ops = torch.ops.sparsegnn

    def run() -> list[torch.Tensor]:
        softmax = sg.ops.edge_softmax(g, scores)
        total = ops.edge_sum(*g.csr, scores, None)
        spread = ops.edge_scores(*g.csr, total, None, None, 1.0)
        return [softmax, total, spread, ops.edge_softmax_grad(*g.csr, softmax, grad, None)]

    torch.set_num_threads(1)
    expected = run()
    torch.set_num_threads(threads)
    assert all(map(torch.equal, run(), expected))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", ["random", "parallel edges", "isolated nodes", "no edges"])
def test_gradients(name: str, masked: bool) -> None:
    edges = adversarial_graph(name)
    g = edges.graph()
    keep = torch.rand(g.num_edges) > 0.3 if masked else None
    make = {"dtype": torch.float64, "requires_grad": True}
    scores = torch.randn(g.num_edges, 2, **make)
    s_dst, s_src = torch.randn(g.num_dst, 2, **make), torch.randn(g.num_src, 2, **make)

    def softmax(s: torch.Tensor) -> torch.Tensor:
        return sg.ops.edge_softmax(g, s, keep)

    def leaky(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return sg.ops.edge_scores(g, a, b, keep, negative_slope=0.2)

    for function, leaves in ((softmax, (scores,)), (leaky, (s_dst, s_src))):
        assert gradcheck(function, leaves, fast_mode=True)
        assert gradgradcheck(function, leaves, fast_mode=True)


def test_gradient_does_not_see_dropped_edges() -> None:
    g = adversarial_graph("random").graph()
    keep = torch.rand(400) > 0.5
    scores = torch.randn(400, 2)
    scores[~keep] = torch.nan
    scores.requires_grad_()
    upstream = torch.randn(400, 2)
    upstream[~keep] = torch.inf
    sg.ops.edge_softmax(g, scores, keep).backward(upstream)
    assert scores.grad is not None
    assert scores.grad.isfinite().all()
    assert scores.grad[~keep].eq(0).all()


@pytest.mark.slow
def test_compiles_to_one_graph() -> None:
    def step(g: sg.Graph, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return sg.ops.edge_softmax(g, sg.ops.edge_scores(g, a, b, negative_slope=0.2)).square()

    g = adversarial_graph("random").graph()
    a = torch.randn(g.num_dst, 3, requires_grad=True)
    b = torch.randn(g.num_src, 3, requires_grad=True)
    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    expected = torch.autograd.grad(step(g, a, b).sum(), (a, b))
    actual = torch.autograd.grad(compiled(g, a, b).sum(), (a, b))
    for left, right in zip(actual, expected, strict=True):
        torch.testing.assert_close(left, right)
