import math
from typing import Any

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import sparsegnn as sg
from sparsegnn.testing import ADVERSARIAL, adversarial_graph, assert_close, reference_spmm

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
SHAPES = [(1, 1), (5, 2), (16, 16), (33, 7), (130, 70), (300, 9)]
OPS = torch.ops.sparsegnn


def draw(rows: int, width: int, k: int, dtype: torch.dtype = torch.float32) -> sg.SparseRows:
    return sg.ops.topk_rows(torch.randn(rows, width).to(dtype), k)


def acc(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_equals_the_reference(isa: int, name: str, dtype: torch.dtype) -> None:
    edges = adversarial_graph(name)
    g, kind = edges.graph(), acc(dtype)
    weight, keep = torch.rand(g.num_edges, dtype=kind), torch.rand(g.num_edges) < 0.6
    rows, cols = torch.rand(g.num_dst, dtype=kind), torch.rand(g.num_src, dtype=kind)
    x = draw(g.num_src, 33, 7, dtype)
    y = sg.ops.spmm(g, x)
    assert y.dtype == dtype
    assert_close(y, reference_spmm(edges.edge_index, g.num_dst, x.to_dense()))
    y = sg.ops.spmm(g, x, weight, keep, row_scale=rows, col_scale=cols)
    expected = reference_spmm(
        edges.edge_index, g.num_dst, x.to_dense(), weight, keep, row_scale=rows, col_scale=cols
    )
    assert_close(y, expected)


@pytest.mark.parametrize("width,k", SHAPES)
def test_widths_and_the_epilogue(isa: int, width: int, k: int) -> None:
    edges = adversarial_graph("random")
    g = edges.graph()
    x, soft, bias = draw(g.num_src, width, k), torch.rand(g.num_edges), torch.randn(width)
    y = sg.ops.spmm(g, x, None, soft, reduce="mean", bias=bias, relu=True)
    expected = reference_spmm(
        edges.edge_index, g.num_dst, x.to_dense(), None, soft, mean=True, bias=bias, relu=True
    )
    assert_close(y, expected)
    residual = torch.randn(g.num_dst, width)
    dense = sg.ops.spmm(g, x.to_dense(), dropout=0.5, seed=3, residual=residual)
    assert_close(sg.ops.spmm(g, x, dropout=0.5, seed=3, residual=residual), dense)
    assert sg.ops.spmm(g, x, out_dtype=torch.bfloat16).dtype == torch.bfloat16


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gradients_equal_those_of_dense_rows(isa: int, dtype: torch.dtype, transpose: bool) -> None:
    g = adversarial_graph("tall" if transpose else "wide").graph()
    x = draw(g.num_dst if transpose else g.num_src, 40, 6, dtype)
    weight = torch.rand(g.num_edges, dtype=acc(dtype), requires_grad=True)
    keep = torch.rand(g.num_edges) < 0.7
    x.values.requires_grad_()
    results = []
    for operand in (x, x.to_dense()):
        y = sg.ops.spmm(g, operand, weight, keep, transpose=transpose)
        torch.manual_seed(1)
        results.append(torch.autograd.grad(y, (x.values, weight), torch.randn_like(y)))
    for actual, expected in zip(*results, strict=True):
        assert_close(actual, expected, dtype)


def test_nothing_passes_a_dropped_edge() -> None:
    g = adversarial_graph("random").graph()
    keep = g.edge_index[0] % 2 == 0
    x = draw(g.num_src, 20, 5)
    expected = sg.ops.spmm(g, x, edge_mask=keep)
    x.values[1::2] = math.nan
    assert torch.equal(sg.ops.spmm(g, x, edge_mask=keep), expected)


@pytest.mark.parametrize("name", ["random", "hub row", "no edges"])
def test_indices_of_64_bits(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    edges = adversarial_graph(name)
    small = edges.graph()
    monkeypatch.setattr("sparsegnn.graph._INT32_LIMIT", 1)
    large = edges.graph()
    assert large.rowptr.dtype == torch.int64
    x = draw(small.num_src, 30, 4)
    weight = torch.rand(small.num_edges, requires_grad=True)
    x.values.requires_grad_()
    results = []
    for g in (small, large):
        y = sg.ops.spmm(g, x, weight)
        results.append((y, *torch.autograd.grad(y.square().sum(), (x.values, weight))))
    for left, right in zip(*results, strict=True):
        assert torch.equal(left, right)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_same_bits_for_every_thread_count(threads: int) -> None:
    g = sg.testing.power_law_graph(500, 6000)
    x = draw(500, 100, 20)
    weight = torch.rand(6000, requires_grad=True)
    x.values.requires_grad_()

    def run() -> tuple[torch.Tensor, ...]:
        y = sg.ops.spmm(g, x, weight)
        return (y, *torch.autograd.grad(y.square().sum(), (x.values, weight)))

    torch.set_num_threads(1)
    expected = run()
    torch.set_num_threads(threads)
    for left, right in zip(run(), expected, strict=True):
        assert torch.equal(left, right)


def arguments(grad: bool) -> tuple[Any, ...]:
    g = adversarial_graph("parallel edges").graph()
    ids = torch.tensor([[0, 2], [1, 4], [2, 3]], dtype=torch.uint8)
    values = torch.randn(3, 2, dtype=torch.float64, requires_grad=grad)
    weight = torch.rand(4, dtype=torch.float64, requires_grad=grad)
    bits = sg.Mask.from_bool(torch.tensor([True, True, False, True])).packed
    scale = torch.rand(3, dtype=torch.float64)
    return (*g.csr, None, ids, values, 5, weight, bits, scale, None)


def grad_arguments(grad: bool) -> tuple[Any, ...]:
    *front, values, _, weight, bits, scale, none = arguments(grad)
    g = torch.randn(3, 5, dtype=torch.float64, requires_grad=grad)
    return (*front, values, g, weight, bits, scale, none, True, True)


@pytest.mark.parametrize(
    "name,make", [("spmm_rows", arguments), ("spmm_rows_grad", grad_arguments)]
)
def test_closed_under_differentiation(name: str, make: Any) -> None:
    given = make(True)
    operator = getattr(OPS, name).default
    torch.library.opcheck(operator, make(False))
    torch.library.opcheck(operator, given)
    places = [i for i, a in enumerate(given) if isinstance(a, torch.Tensor) and a.requires_grad]

    def function(*leaves: torch.Tensor) -> Any:
        filled = list(given)
        for place, value in zip(places, leaves, strict=True):
            filled[place] = value
        return operator(*filled)

    leaves = tuple(given[i] for i in places)
    assert gradcheck(function, leaves)
    assert gradgradcheck(function, leaves)


@pytest.mark.parametrize("reduce", ["sum", "mean"])
def test_gradients_of_scales_through_the_public_function(reduce: Any) -> None:
    edges = adversarial_graph("random")
    g, x = edges.graph(), draw(40, 9, 3, torch.float64)

    def function(*t: torch.Tensor) -> torch.Tensor:
        rows = sg.SparseRows(t[0], x.ids, 9)
        return sg.ops.spmm(g, rows, t[1], reduce=reduce, row_scale=t[2], col_scale=t[3])

    shapes = [(40, 3), (g.num_edges,), (50,), (40,)]
    leaves = [torch.rand(*s, dtype=torch.float64, requires_grad=True) for s in shapes]
    assert gradcheck(function, leaves, fast_mode=True)
    assert gradgradcheck(function, leaves, fast_mode=True)


def test_fake_cuda_tensors_give_cuda_results() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    def fake(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        return torch.empty(value.shape, dtype=value.dtype, device="cuda")

    forward, backward = arguments(False), grad_arguments(False)
    with FakeTensorMode():
        y = OPS.spmm_rows.default(*map(fake, forward))
        values, edges = OPS.spmm_rows_grad.default(*map(fake, backward))
    assert y.device.type == values.device.type == "cuda"
    assert (y.shape, values.shape, edges.shape) == ((3, 5), (3, 2), (4,))


def test_compiles_to_one_graph() -> None:
    torch._dynamo.reset()
    g = adversarial_graph("random").graph()

    def step(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return sg.ops.spmm(g, sg.ops.topk_rows(x, 3), w, relu=True).square().sum()

    compiled = torch.compile(step, fullgraph=True, backend="aot_eager", dynamic=True)
    x, w = torch.randn(40, 12, requires_grad=True), torch.rand(400, requires_grad=True)
    expected = torch.autograd.grad(step(x, w), (x, w))
    actual = torch.autograd.grad(compiled(x, w), (x, w))
    for left, right in zip(actual, expected, strict=True):
        torch.testing.assert_close(left, right)


def test_bad_arguments() -> None:
    g = adversarial_graph("random").graph()
    x = draw(40, 12, 3)
    with pytest.raises(ValueError, match="values must have one row per source node, 40, got 39"):
        sg.ops.spmm(g, draw(39, 12, 3))
    with pytest.raises(ValueError, match=r"weight must have shape \[400\], got \[3\]"):
        sg.ops.spmm(g, x, torch.rand(3))
    with pytest.raises(ValueError, match=r"edge_mask must have shape \[400\], got \[3\]"):
        sg.ops.spmm(g, x, torch.rand(400), torch.rand(3))
    with pytest.raises(ValueError, match=r"bias must have shape \[12\], got \[11\]"):
        sg.ops.spmm(g, x, bias=torch.rand(11))
    broken = list(arguments(False))
    for place, value, message in (
        (7, broken[7].long(), "ids must have dtype Byte, got Long"),
        (7, broken[7][:2], "values must have shape"),
        (8, broken[8].long(), "values must be float32"),
        (9, -1, "num_cols must lie in"),
    ):
        with pytest.raises((ValueError, RuntimeError), match=message):
            OPS.spmm_rows.default(*broken[:place], value, *broken[place + 1 :])
    broken = list(grad_arguments(False))
    with pytest.raises((ValueError, RuntimeError), match="g must have one row per target node"):
        OPS.spmm_rows_grad.default(*broken[:9], broken[9][:2], *broken[10:])
