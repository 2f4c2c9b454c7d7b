from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

import sparsegnn as sg
from sparsegnn.testing import ADVERSARIAL, adversarial_graph, assert_close, reference_spmm_extreme

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
OP = torch.ops.sparsegnn.spmm_extreme
GRAD = torch.ops.sparsegnn.spmm_extreme_grad


def acc(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def coarse(rows: int, width: int, dtype: torch.dtype) -> Tensor:
    """Few distinct values, infinities and NaN among them: ties everywhere."""
    x = (torch.randn(rows, width) * 2).round()
    x.view(-1)[::29] = float("-inf")
    x.view(-1)[::31] = float("nan")
    return x.to(dtype)


def packed(keep: Tensor | None) -> Tensor | None:
    return None if keep is None else sg.Mask.from_bool(keep).packed


@pytest.mark.parametrize("name", ADVERSARIAL)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_values_and_winners_on_adversarial_graphs(isa: int, name: str, dtype: torch.dtype) -> None:
    edges = adversarial_graph(name)
    g, kind = edges.graph(), acc(dtype)
    x = coarse(edges.num_src, 21, dtype)
    weight, soft = torch.randn(2, g.num_edges, dtype=kind)
    keep = torch.rand(g.num_edges) > 0.4
    modes = [(False, weight, keep), (True, None, soft)]
    if dtype == torch.float32:
        modes += [(False, None, None), (True, None, keep)]
    for smallest, w, mask in modes:
        bits = packed(mask) if mask is keep else None
        values = (w, soft if mask is soft else None, bits, smallest)
        y, arg = OP(*g.csr, x, *values, True)
        expected, winners = reference_spmm_extreme(
            edges.edge_index,
            edges.num_dst,
            x,
            w,
            mask,
            smallest=smallest,
            order=g.canonical_order(),
        )
        assert y.dtype == dtype
        assert torch.equal(arg.long(), winners)
        assert_close(y, expected)
        alone, none = OP(*g.csr, x, *values, False)
        assert none.numel() == 0
        torch.testing.assert_close(alone, y, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("width", [0, 1, 3, 7, 16, 31, 33, 64, 127, 128, 257, 600])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_width(isa: int, width: int, dtype: torch.dtype) -> None:
    edges = adversarial_graph("random")
    x = torch.randn(edges.num_src, width).to(dtype)
    w = torch.randn(edges.edge_index.shape[1], dtype=acc(dtype))
    for reduce in ("max", "min"):
        expected, _ = reference_spmm_extreme(
            edges.edge_index, edges.num_dst, x, w, smallest=reduce == "min"
        )
        assert_close(sg.ops.spmm(edges.graph(), x, w, reduce=reduce), expected)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [5, 16, 40, 200])
def test_rows_that_span_many_runs_of_edges(isa: int, width: int) -> None:
    """Hubs of thousands of edges between short rows, most of one hub's edges dropped."""
    target = torch.cat([torch.full((3000,), 1), torch.arange(6), torch.full((700,), 4)])
    pairs = torch.stack([torch.arange(3706) % 97, target])
    g = sg.Graph.from_edge_index(pairs, num_src=97, num_dst=8)
    keep = torch.rand(3706) > 0.3
    keep[:900] = False
    x = torch.randn(97, width)
    for mask in (None, keep):
        expected, winners = reference_spmm_extreme(
            pairs, 8, x, None, mask, order=g.canonical_order()
        )
        y, arg = OP(*g.csr, x, None, None, packed(mask), False, True)
        assert torch.equal(arg.long(), winners)
        assert_close(y, expected)
        assert torch.equal(sg.ops.spmm(g, x, edge_mask=mask, reduce="max"), y)


def test_gradients_follow_the_winners(isa: int) -> None:
    """Sources with hundreds of edges; an infinity beside a winner meets no zero."""
    edges = sg.testing.random_graph(40, 9, 2500, 3)
    g = edges.graph()
    for dtype in DTYPES:
        x, grad = torch.randn(9, 37).to(dtype), torch.randn(40, 37).to(dtype)
        w = torch.rand(2500, dtype=acc(dtype)) + 0.5
        x[4] = float("-inf")
        _, arg = OP(*g.csr, x, w, None, None, False, True)
        dx, dots = GRAD(*g.csr, grad, arg, x, w, None)
        target, column = (arg >= 0).nonzero(as_tuple=True)
        edge = arg[target, column].long()
        flow = grad[target, column].double()
        source = edges.edge_index[0][edge]
        expected = torch.zeros(9, 37).double()
        expected.index_put_((source, column), flow * w[edge].double(), accumulate=True)
        assert_close(dx / 30, expected / 30)
        products = (
            torch.zeros(2500)
            .double()
            .index_put_((edge,), flow * x[source, column].double(), accumulate=True)
        )
        assert_close(dots / 30, products / 30)


@pytest.mark.parametrize("reduce", ["max", "min"])
@pytest.mark.parametrize("name", ["random", "wide", "isolated nodes", "no edges"])
def test_derivatives(name: str, reduce: str) -> None:
    edges = adversarial_graph(name)
    g = edges.graph()
    keep = torch.rand(g.num_edges) > 0.3

    def function(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return sg.ops.spmm(g, x, w, keep, reduce=reduce, bias=b)  # type: ignore[arg-type]

    double = {"dtype": torch.float64, "requires_grad": True}
    leaves = (
        torch.randn(edges.num_src, 3, **double),  # type: ignore[arg-type]
        torch.randn(g.num_edges, **double),  # type: ignore[arg-type]
        torch.randn(3, **double),  # type: ignore[arg-type]
    )
    assert gradcheck(function, leaves, fast_mode=True)
    assert gradgradcheck(function, leaves, fast_mode=True)


def test_derivatives_of_weight_and_mask_together() -> None:
    g = adversarial_graph("parallel edges").graph()
    leaves = [torch.randn(*shape).double().requires_grad_() for shape in ((3, 4), (4,), (4,))]

    def function(x: Tensor, w: Tensor, m: Tensor) -> Tensor:
        return sg.ops.spmm(g, x, w, m, reduce="max")

    assert gradcheck(function, leaves)
    assert gradgradcheck(function, leaves)


def extreme_arguments(grad: bool) -> tuple[Any, ...]:
    g = adversarial_graph("parallel edges").graph()
    tensors = [torch.randn(*shape).double() for shape in ((3, 4), (4,), (4,))]
    tensors = [t.requires_grad_(grad) for t in tensors]
    return (*g.csr, *tensors, packed(torch.tensor([True, True, False, True])), False, True)


@pytest.mark.slow
@pytest.mark.parametrize("grad", [False, True], ids=["plain", "requires_grad"])
def test_opcheck(grad: bool) -> None:
    arguments = extreme_arguments(grad)
    torch.library.opcheck(OP.default, arguments)
    arg = OP(*arguments)[1].detach()
    upstream = torch.randn(3, 4).double().requires_grad_(grad)
    torch.library.opcheck(GRAD.default, (*arguments[:6], upstream, arg, *arguments[6:9]))


@pytest.mark.slow
def test_compiled_step_equals_the_eager_one() -> None:
    g = adversarial_graph("random").graph()

    def step(x: Tensor, w: Tensor) -> Tensor:
        return sg.ops.spmm(g, x, w, reduce="max", relu=True).square().sum()

    results = []
    for function in (step, torch.compile(step, fullgraph=True, backend="aot_eager")):
        torch.manual_seed(1)
        leaves = [torch.randn(g.num_src, 6), torch.rand(g.num_edges)]
        leaves = [leaf.requires_grad_() for leaf in leaves]
        function(*leaves).backward()
        results.append([leaf.grad for leaf in leaves])
    for eager, compiled in zip(*results, strict=True):
        torch.testing.assert_close(eager, compiled)


def test_fake_cuda_tensors_give_cuda_results() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    g = adversarial_graph("random").graph()
    with FakeTensorMode():
        csr = [
            None if t is None else torch.empty(t.shape, dtype=t.dtype, device="cuda") for t in g.csr
        ]
        x = torch.empty(g.num_src, 8, device="cuda", dtype=torch.float16)
        y, arg = OP(*csr, x, None, None, None, False, True)
        assert (y.device.type, y.dtype, arg.dtype) == ("cuda", torch.float16, torch.int32)
        dx, dots = GRAD(*csr, y, arg, x, None, None)
        assert (dx.shape, dots.dtype) == (x.shape, torch.float32)


def test_64_bit_indices_by_a_lowered_limit(isa: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparsegnn.graph._INT32_LIMIT", 10)
    edges = adversarial_graph("random")
    g = edges.graph()
    for dtype in (torch.float32, torch.float64):
        x, upstream = torch.randn(edges.num_src, 33, dtype=dtype), torch.randn(edges.num_dst, 33)
        w = torch.randn(g.num_edges, dtype=dtype)
        _, arg = OP(*g.csr, x, w, None, None, False, True)
        assert arg.dtype == torch.int64
        _, winners = reference_spmm_extreme(edges.edge_index, edges.num_dst, x, w)
        assert torch.equal(arg, winners)
        monkeypatch.undo()
        narrow = edges.graph()
        expected = GRAD(*narrow.csr, upstream.to(dtype), arg.int(), x, w, None)
        monkeypatch.setattr("sparsegnn.graph._INT32_LIMIT", 10)
        for left, right in zip(
            GRAD(*g.csr, upstream.to(dtype), arg, x, w, None), expected, strict=True
        ):
            assert torch.equal(left, right)


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_same_bits_for_every_thread_count(threads: int) -> None:
    g = sg.testing.power_law_graph(2000, 40000)
    x, grad = torch.randn(2, 2000, 70)
    w = torch.rand(40000)
    torch.set_num_threads(1)
    y, arg = OP(*g.csr, x, w, None, None, False, True)
    grads = GRAD(*g.csr, grad, arg, x, w, None)
    torch.set_num_threads(threads)
    results = (*OP(*g.csr, x, w, None, None, False, True), *GRAD(*g.csr, grad, arg, x, w, None))
    for left, right in zip(results, (y, arg, *grads), strict=True):
        assert torch.equal(left, right)


def test_a_dropped_edge_never_leaks(isa: int) -> None:
    g = sg.Graph.from_edge_index(torch.tensor([[0, 1, 2], [0, 0, 1]]), 3)
    x = torch.tensor([[1.0], [float("nan")], [float("inf")]]).expand(3, 20).contiguous()
    keep = torch.tensor([True, False, False])
    expected = torch.tensor([1.0, 0.0, 0.0]).unsqueeze(1).expand(3, 20)
    assert torch.equal(sg.ops.spmm(g, x, edge_mask=keep, reduce="max"), expected)


def test_the_epilogue_comes_after_the_extreme() -> None:
    edges = adversarial_graph("random")
    g, x = edges.graph(), torch.randn(edges.num_src, 8).bfloat16()
    best, _ = reference_spmm_extreme(edges.edge_index, edges.num_dst, x)
    bias, residual = torch.randn(8), torch.randn(edges.num_dst, 8)
    y = sg.ops.spmm(
        g, x, reduce="max", bias=bias, relu=True, residual=residual, out_dtype=torch.float32
    )
    assert_close(y, (best + bias).relu() + residual)
    dropped = sg.ops.spmm(g, x, reduce="max", dropout=0.5, seed=3)
    assert torch.equal(dropped, sg.ops.dropout(sg.ops.spmm(g, x, reduce="max"), 0.5, 3))


def test_strided_features_and_the_transpose(isa: int) -> None:
    edges = adversarial_graph("wide")
    wide = torch.randn(edges.num_dst, 90)
    flipped = edges.edge_index.flip(0)
    for x in (wide[:, 5:38], wide[:, ::2], torch.randn(33, edges.num_dst).t()):
        expected, _ = reference_spmm_extreme(flipped, edges.num_src, x)
        assert_close(sg.ops.spmm(edges.graph(), x, reduce="max", transpose=True), expected)


def test_what_has_no_meaning_is_refused() -> None:
    g = adversarial_graph("path").graph()
    x = torch.randn(g.num_src, 4)
    for name in ("row_scale", "col_scale"):
        with pytest.raises(ValueError, match=f"{name} must be None for reduce='max'"):
            sg.ops.spmm(g, x, reduce="max", **{name: torch.ones(g.num_src)})
    with pytest.raises(ValueError, match="x must be a dense tensor for reduce='min'"):
        sg.ops.spmm(g, sg.ops.topk_rows(x, 2), reduce="min")
    y, arg = OP(*g.csr, x, None, None, None, False, True)
    with pytest.raises((ValueError, RuntimeError), match="arg must have the shape of grad"):
        GRAD(*g.csr, y, arg[:, :3], x, None, None)
    with pytest.raises((ValueError, RuntimeError), match="arg must"):
        GRAD(*g.csr, y, arg.long(), x, None, None)
    with pytest.raises(RuntimeError, match="with_arg"):
        OP(*g.csr, x.requires_grad_(), None, None, None, False, False)


def test_no_gradient_no_winners() -> None:
    """Inference writes y alone."""
    g = adversarial_graph("random").graph()
    x = torch.randn(g.num_src, 8, requires_grad=True)
    sizes = []
    for enabled in (False, True):
        with (
            torch.set_grad_enabled(enabled),
            torch.profiler.profile(profile_memory=True) as profile,
        ):
            sg.ops.spmm(g, x, reduce="max")
        events = [e for e in profile.events() if e.name == "sparsegnn::spmm_extreme"]
        sizes.append(events[0].cpu_memory_usage)
    assert sizes == [g.num_dst * 8 * 4, 2 * g.num_dst * 8 * 4]
