"""Every operator on the GPU against the CPU backend, on graphs that break kernels."""

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

import sparsegnn as sg
from sparsegnn.graph import CsrTensors
from sparsegnn.testing import ADVERSARIAL, adversarial_graph, assert_close

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
WIDTHS = [1, 3, 7, 32, 33, 128, 257]


def acc(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def with_index(graph: sg.Graph, dtype: torch.dtype) -> sg.Graph:
    return sg.Graph(CsrTensors(*(None if t is None else t.to(dtype) for t in graph.csr)))


def on_gpu(value: object) -> object:
    return value.to("cuda") if isinstance(value, (Tensor, sg.Mask)) else value


def compare_spmm(graph: sg.Graph, x: Tensor, **arguments: object) -> None:
    expected = sg.ops.spmm(graph, x, **arguments)
    moved = {name: on_gpu(value) for name, value in arguments.items()}
    actual = sg.ops.spmm(graph.to("cuda"), x.to("cuda"), **moved)
    assert actual.device.type == "cuda"
    assert_close(actual.cpu(), expected)


@pytest.mark.parametrize("index", [torch.int32, torch.int64], ids=["int32", "int64"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_spmm(name: str, dtype: torch.dtype, index: torch.dtype) -> None:
    graph = with_index(adversarial_graph(name).graph(), index)
    edges, kind = graph.num_edges, acc(dtype)
    weight, soft = torch.rand(edges, dtype=kind), torch.rand(edges, dtype=kind)
    keep = torch.rand(edges) < 0.6
    rows = torch.rand(graph.num_dst, dtype=kind)
    cols = torch.rand(graph.num_src, dtype=kind)
    for width in WIDTHS:
        x = torch.randn(graph.num_src, width).to(dtype)
        bias = torch.randn(width, dtype=kind)
        compare_spmm(graph, x)
        compare_spmm(graph, x, edge_weight=weight, edge_mask=soft)
        compare_spmm(graph, x, edge_weight=weight, edge_mask=keep, reduce="mean")
        compare_spmm(graph, x, row_scale=rows, col_scale=cols, bias=bias, relu=True)


@pytest.mark.parametrize("index", [torch.int32, torch.int64], ids=["int32", "int64"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_spmm_max_and_min(name: str, dtype: torch.dtype, index: torch.dtype) -> None:
    """The same values, winners and gradients on both devices, ties and NaN included."""
    graph = with_index(adversarial_graph(name).graph(), index)
    weight = torch.randn(graph.num_edges, dtype=acc(dtype))
    bits = sg.Mask.from_bool(torch.rand(graph.num_edges) < 0.6).packed
    for width in WIDTHS:
        x = (torch.randn(graph.num_src, width) * 2).round().to(dtype)
        x.view(-1)[::31] = float("nan")
        grad = torch.randn(graph.num_dst, width).to(dtype)
        for values in ((weight, None, bits, False, True), (None, None, None, True, True)):
            results = []
            for device in ("cpu", "cuda"):
                csr = graph.to(device).csr
                moved = [v.to(device) if isinstance(v, Tensor) else v for v in (x, *values)]
                y, arg = torch.ops.sparsegnn.spmm_extreme(*csr, *moved)
                inputs = (grad.to(device), arg, moved[0].nan_to_num(), moved[1], None)
                grads = torch.ops.sparsegnn.spmm_extreme_grad(*csr, *inputs)
                results.append([t.cpu() for t in (y, arg, *grads)])
            assert torch.equal(results[0][1], results[1][1])
            torch.testing.assert_close(results[1][0], results[0][0], rtol=0, atol=0, equal_nan=True)
            for expected, actual in zip(results[0][2:], results[1][2:], strict=True):
                assert_close(actual / 10, expected / 10)


@pytest.mark.parametrize("out", [None, torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_spmm_epilogues(dtype: torch.dtype, out: torch.dtype | None) -> None:
    if out is not None and dtype == torch.float64:
        pytest.skip("float64 stays float64")
    graph = adversarial_graph("random").graph()
    for width in (5, 8, 64, 200):
        x = torch.randn(graph.num_src, width).to(dtype)
        residual = torch.randn(graph.num_dst, width + 3).to(out or dtype)[:, 3:]
        for dropout in (0.0, 0.3, 1.0):
            compare_spmm(
                graph, x, residual=residual, dropout=dropout, seed=11, relu=True, out_dtype=out
            )
        moved = sg.ops.spmm(graph.to("cuda"), x.to("cuda"), dropout=0.5, seed=3).cpu()
        assert torch.equal(moved == 0, sg.ops.spmm(graph, x, dropout=0.5, seed=3) == 0)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dropout_after_a_bias_and_its_derivative(dtype: torch.dtype) -> None:
    for shape in ((7,), (33, 5), (1000, 64)):
        x, grad = torch.randn(shape).to(dtype), torch.randn(shape).to(dtype)
        bias = torch.randn(shape[-1])
        y = sg.ops.dropout(x, 0.4, 3, bias=bias, relu=True)
        moved = sg.ops.dropout(x.to("cuda"), 0.4, 3, bias=bias.to("cuda"), relu=True)
        assert_close(moved.cpu(), y)
        expected = torch.ops.sparsegnn.dropout_grad(grad, y, 0.4)
        actual = torch.ops.sparsegnn.dropout_grad(grad.to("cuda"), y.to("cuda"), 0.4)
        assert_close(actual.cpu(), expected)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_spmm_short_rows_and_hubs(dtype: torch.dtype) -> None:
    """Rows that share a warp, rows a warp takes whole, and rows that are cut into chunks."""
    degrees = torch.arange(2000) % 7
    degrees[[17, 18, 900, 1999]] = torch.tensor([33, 100, 1100, 5000])
    target = torch.repeat_interleave(torch.arange(2000), degrees)
    edges = torch.stack([torch.randint(0, 2000, target.shape), target])
    graph = sg.Graph.from_edge_index(edges, 2000)
    keep = torch.rand(graph.num_edges) < 0.5
    for width in (1, 4, 16, 33, 64, 300):
        x = torch.randn(2000, width).to(dtype)
        compare_spmm(graph, x, edge_weight=torch.rand(graph.num_edges, dtype=acc(dtype)))
        compare_spmm(graph, x, edge_mask=keep, reduce="mean")


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_spmm_layouts(dtype: torch.dtype) -> None:
    graph = adversarial_graph("random").graph()
    wide = torch.randn(graph.num_src, 97).to(dtype)
    for x in (wide[:, 1:65], wide[:, 8:72], wide[:, ::2], wide.t().contiguous().t()):
        expected = sg.ops.spmm(graph, x.contiguous())
        actual = sg.ops.spmm(graph.to("cuda"), on_gpu_like(x))
        assert_close(actual.cpu(), expected)


def on_gpu_like(x: Tensor) -> Tensor:
    """The same values on the GPU with the strides and the offset of `x`."""
    storage = torch.empty(x.untyped_storage().nbytes() // x.element_size(), dtype=x.dtype)
    moved = storage.to("cuda").as_strided(x.shape, x.stride(), x.storage_offset())
    return moved.copy_(x)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_nothing_passes_a_dropped_edge(dtype: torch.dtype) -> None:
    graph = adversarial_graph("random").graph()
    source = graph.edge_index[0]
    x = torch.randn(graph.num_src, 48).to(dtype)
    x[1::2] = float("nan")
    x[3::4] = float("inf")
    keep = source % 2 == 0
    compare_spmm(graph, x, edge_mask=keep)
    compare_spmm(graph, x[:, :7].contiguous(), edge_mask=keep, reduce="mean")
    y = sg.ops.spmm(graph.to("cuda"), x.to("cuda"), edge_mask=keep.to("cuda"))
    assert y.isfinite().all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_sddmm(name: str, dtype: torch.dtype) -> None:
    graph = adversarial_graph(name).graph()
    keep = torch.rand(graph.num_edges) < 0.6
    for width in WIDTHS:
        a = torch.randn(graph.num_dst, width).to(dtype)
        b = torch.randn(graph.num_src, width).to(dtype)
        for mask in (None, keep):
            expected = sg.ops.sddmm(graph, a, b, mask)
            moved = None if mask is None else mask.to("cuda")
            actual = sg.ops.sddmm(graph.to("cuda"), a.to("cuda"), b.to("cuda"), moved)
            assert_close(actual.cpu(), expected)


@pytest.mark.parametrize("index", [torch.int32, torch.int64], ids=["int32", "int64"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_edge_softmax_and_scores(name: str, dtype: torch.dtype, index: torch.dtype) -> None:
    graph = with_index(adversarial_graph(name).graph(), index)
    keep = torch.rand(graph.num_edges) < 0.6
    for heads in (1, 3, 8, 40):
        results = []
        for device in ("cpu", "cuda"):
            torch.manual_seed(heads)
            g = graph.to(device)
            a, b, upstream = (
                torch.randn(size, heads, dtype=dtype).to(device).requires_grad_()
                for size in (g.num_dst, g.num_src, g.num_edges)
            )
            scores = sg.ops.edge_scores(g, a, b, negative_slope=0.2)
            softmax = sg.ops.edge_softmax(g, scores, keep.to(device))
            grads = torch.autograd.grad(softmax, (a, b), upstream)
            results.append([t.detach().cpu() for t in (scores, softmax, *grads)])
        for expected, actual in zip(*results, strict=True):
            assert_close(actual, expected)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_gat(name: str, dtype: torch.dtype, dropout: float) -> None:
    graph = adversarial_graph(name).graph()
    keep = torch.rand(graph.num_edges) < 0.6
    results = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(1)
        g = graph.to(device)
        sizes = ((g.num_src, 3, 10), (g.num_dst, 3), (g.num_src, 3), (g.num_edges, 3))
        leaves = [torch.randn(size, dtype=dtype).to(device).requires_grad_() for size in sizes]
        upstream = torch.randn(g.num_dst, 3, 10, dtype=dtype).to(device)
        y = sg.ops.gat(g, *leaves[:3], keep.to(device), leaves[3], dropout=dropout, seed=5)
        results.append([t.detach().cpu() for t in (y, *torch.autograd.grad(y, leaves, upstream))])
    for expected, actual in zip(*results, strict=True):
        assert_close(actual / 10, expected / 10)  # sums of up to 1500 differences of products


@pytest.mark.parametrize("dropout,width", [(0.0, 10), (0.4, 16), (0.4, 300)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_gatv2(name: str, dtype: torch.dtype, dropout: float, width: int) -> None:
    graph = adversarial_graph(name).graph()
    keep = torch.rand(graph.num_edges) < 0.6
    results = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(1)
        g = graph.to(device)
        sizes = ((g.num_src, 3, width), (g.num_dst, 3, width), (3, width))
        leaves = [torch.randn(size, dtype=dtype).to(device).requires_grad_() for size in sizes]
        leaves[2].data.div_(width**0.5)
        upstream = torch.randn(g.num_dst, 3, width, dtype=dtype).to(device)
        y = sg.ops.gatv2(g, *leaves, keep.to(device), dropout=dropout, seed=5)
        results.append([t.detach().cpu() for t in (y, *torch.autograd.grad(y, leaves, upstream))])
    for expected, actual in zip(*results, strict=True):
        assert_close(actual / 100, expected / 100)  # sums of up to 1500 x 300 products


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gatv2_repeats_its_bits(dtype: torch.dtype) -> None:
    """Hub targets and hub sources, whose chunks are merged in a fixed order."""
    edges = torch.randint(0, 500, (2, 40_000))
    edges[0, :9000], edges[1, 9000:20_000] = 7, 3
    g = sg.Graph.from_edge_index(edges, 500).to("cuda")
    sizes = ((500, 2, 16), (500, 2, 16), (2, 16))
    leaves = [torch.randn(size).to("cuda", dtype).requires_grad_() for size in sizes]
    runs = []
    for _ in range(2):
        y = sg.ops.gatv2(g, *leaves, dropout=0.3, seed=5)
        runs.append([y, *torch.autograd.grad(y.square().sum(), leaves)])
    assert all(map(torch.equal, *runs))


@pytest.mark.parametrize("index", [torch.int32, torch.int64], ids=["int32", "int64"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_softmax_aggregate(name: str, dtype: torch.dtype, index: torch.dtype) -> None:
    graph = with_index(adversarial_graph(name).graph(), index)
    keep = torch.rand(graph.num_edges) < 0.6
    for width, eps in ((1, None), (7, 0.1), (64, 0.1), (257, None)):
        x = (torch.randint(-16, 17, (graph.num_src, width)) / 8).to(dtype)
        t = torch.rand(width, dtype=acc(dtype)) * 2 - 0.5
        upstream = torch.randn(graph.num_dst, width).to(dtype)
        results = []
        for device in ("cpu", "cuda"):
            g = graph.to(device)
            leaves = [p.to(device).requires_grad_() for p in (x, t)]
            y = sg.ops.softmax_aggregate(g, *leaves, keep.to(device), eps=eps)
            grads = torch.autograd.grad(y, leaves, upstream.to(device))
            results.append([r.detach().cpu() for r in (y, *grads)])
        for expected, actual in zip(*results, strict=True):
            assert_close(actual / 10, expected / 10, dtype)  # sums of up to 1500 products


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_spmm_grad(name: str, dtype: torch.dtype) -> None:
    graph = adversarial_graph(name).graph()
    weight, soft = torch.rand(2, graph.num_edges, dtype=acc(dtype))
    bits = sg.Mask.from_bool(torch.rand(graph.num_edges) < 0.6).packed
    for width in WIDTHS:
        grad = torch.randn(graph.num_dst, width).to(dtype)
        x = torch.randn(graph.num_src, width).to(dtype)
        for values in ((weight, soft, None), (weight, None, bits)):
            expected = torch.ops.sparsegnn.spmm_grad(*graph.csr, grad, x, *values, None, None)
            moved = [on_gpu(value) for value in (grad, x, *values)]
            actual = torch.ops.sparsegnn.spmm_grad(*graph.to("cuda").csr, *moved, None, None)
            for left, right in zip(actual, expected, strict=True):
                assert_close(left.cpu(), right)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("training", [False, True])
def test_hard_concrete(training: bool, dtype: torch.dtype) -> None:
    """The noise is the same; log and exp round by device."""
    results = []
    for device in ("cpu", "cuda"):
        torch.manual_seed(1)
        logits = (3 * torch.randn(50_001, dtype=dtype)).to(device).requires_grad_()
        z = sg.ops.hard_concrete(logits, training=training, seed=4)
        (slope,) = torch.autograd.grad(z.square().sum(), logits)
        results.append([z.detach().cpu(), slope.cpu()])
    (z, slope), (other, other_slope) = results
    torch.testing.assert_close(other, z, rtol=0, atol=1e-5)
    inside = (z > 1e-4) & (z < 1 - 1e-4)  # at the ends the slope jumps
    torch.testing.assert_close(other_slope[inside], slope[inside], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("samples", [0, 1, 33, 300])
def test_sparse_linear(samples: int, dtype: torch.dtype) -> None:
    dense = torch.randn(37, 70) * (torch.rand(37, 70) < 0.1)
    x = torch.randn(samples, 70).to(dtype)
    bias = torch.randn(37)
    results = []
    for device in ("cpu", "cuda"):
        weight = sg.SparseWeight.from_dense(dense).to(device)
        inputs = x.detach().to(device).requires_grad_()
        y = sg.ops.sparse_linear(inputs, weight, bias.to(device))
        y.square().sum().backward()
        results.append([t.detach().cpu() for t in (y, inputs.grad, weight.values.grad)])
    for expected, actual in zip(*results, strict=True):
        assert_close(actual, expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("block", [16, 32, 64])
@pytest.mark.parametrize("samples", [0, 1, 33, 1300])
def test_block_linear(samples: int, block: int, dtype: torch.dtype) -> None:
    keep = torch.rand(3, 4) < 0.6
    dense = torch.randn(3 * block, 4 * block)
    dense *= keep.repeat_interleave(block, 0).repeat_interleave(block, 1)
    x = torch.randn(samples, 4 * block).to(dtype)
    bias = torch.randn(3 * block)
    results = []
    for device in ("cpu", "cuda"):
        weight = sg.BlockWeight.from_dense(dense, block).to(device)
        inputs = x.detach().to(device).requires_grad_()
        y = sg.ops.block_linear(inputs, weight, bias.to(device))
        y.square().sum().backward()
        results.append([t.detach().cpu() for t in (y, inputs.grad, weight.values.grad)])
    for expected, actual in zip(*results, strict=True):
        assert_close(actual, expected, dtype)


def test_semi_structured_weight() -> None:
    dense = torch.randn(128, 128)
    dense = (dense * sg.ops.nm_mask(dense, 2, 4)).to("cuda", torch.float16)
    x = torch.randn(128, 128, dtype=torch.float16, device="cuda")
    y = torch.nn.functional.linear(x, sg.ops.semi_structured(dense))
    assert_close(y.cpu(), (x.double() @ dense.double().t()).cpu())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_topk_mask_is_the_same_on_both_devices(dtype: torch.dtype) -> None:
    scores = [torch.randn(100_003), torch.zeros(5000), torch.randn(7, 11), torch.zeros(0)]
    scores[0][::3] = 0.25
    scores[0][1::1001] = float("nan")
    scores[1][1::2] = -0.0
    scores = [score.to(dtype) for score in scores]
    total = sum(score.numel() for score in scores)
    for k in (0, 1, 1000, 40_000, total - 100, total):
        expected = sg.ops.topk_mask(scores, k)
        actual = sg.ops.topk_mask([score.to("cuda") for score in scores], k)
        assert sum(int(mask.sum()) for mask in actual) == k
        for left, right in zip(expected, actual, strict=True):
            assert torch.equal(left, right.cpu())
    expected = sg.ops.topk_mask(scores, [500, 70, 7, 0], per_tensor=True)
    actual = sg.ops.topk_mask([s.to("cuda") for s in scores], [500, 70, 7, 0], per_tensor=True)
    for left, right in zip(expected, actual, strict=True):
        assert torch.equal(left, right.cpu())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("regrow", [False, True])
def test_drop_and_grow_is_the_same_on_both_devices(regrow: bool, dtype: torch.dtype) -> None:
    mask = torch.rand(100_003) < 0.2
    weight = ((torch.randn(100_003) * 8).round() * mask).to(dtype)
    grow = (torch.randn(100_003) * 8).round().to(dtype)
    grow[::101] = float("nan")
    results = []
    for device in ("cpu", "cuda"):
        moved = [t.to(device, copy=True) for t in (mask, weight, torch.ones(100_003))]
        sg.ops.drop_and_grow_(
            moved[0], moved[1], [moved[2]], grow.to(device), 5000, magnitude=True, regrow=regrow
        )
        results.append([t.cpu() for t in moved])
    for left, right in zip(*results, strict=True):
        assert torch.equal(left, right)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("timed", [False, True])
def test_random_walks_are_the_same_on_both_devices(timed: bool, weighted: bool) -> None:
    edges = sg.testing.random_graph(400, 400, 3000, 1)
    values = {}
    if timed:
        values["edge_time"] = torch.rand(3000)
    if weighted:
        values["weight"] = torch.rand(3000)
    start = torch.arange(400).repeat(5)
    graph = edges.graph()
    expected = sg.ops.random_walk(graph, start, 12, seed=9, **values)
    moved = {name: value.to("cuda") for name, value in values.items()}
    actual = sg.ops.random_walk(graph.to("cuda"), start.to("cuda"), 12, seed=9, **moved)
    assert torch.equal(actual.cpu(), expected)


def test_gradients_match_finite_differences() -> None:
    graph = adversarial_graph("random").graph().to("cuda")
    make = {"dtype": torch.float64, "device": "cuda", "requires_grad": True}
    x = torch.randn(graph.num_src, 3, **make)
    weight, soft = torch.rand(graph.num_edges, **make), torch.rand(graph.num_edges, **make)
    bias = torch.randn(3, **make)
    assert gradcheck(
        lambda *t: sg.ops.spmm(graph, t[0], t[1], t[2], bias=t[3]), (x, weight, soft, bias)
    )
    a = torch.randn(graph.num_dst, 3, **make)
    assert gradcheck(lambda a, x: sg.ops.sddmm(graph, a, x), (a, x))


def test_a_hub_of_70000_edges() -> None:
    edges = torch.stack([torch.randint(0, 5000, (70_000,)), torch.full((70_000,), 3)])
    graph = sg.Graph.from_edge_index(edges, 5000)
    compare_spmm(graph, torch.randn(5000, 64), edge_weight=torch.rand(70_000))
    compare_spmm(graph, torch.randn(5000, 33), reduce="mean")
    compare_spmm(graph, torch.randn(5000, 33), edge_weight=torch.rand(70_000), reduce="max")
    scores, keep = 3 * torch.randn(70_000, 3), torch.rand(70_000) < 0.6
    results = []
    for device in ("cpu", "cuda"):
        leaf = scores.to(device).requires_grad_()
        p = sg.ops.edge_softmax(graph.to(device), leaf, keep.to(device))
        (slope,) = torch.autograd.grad(p.square().sum(), leaf)
        results.append([p.detach().cpu(), slope.cpu()])
    for expected, actual in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gradients_of_a_source_of_70000_edges(dtype: torch.dtype) -> None:
    edges = torch.stack([torch.full((70_000,), 3), torch.randint(0, 5000, (70_000,))])
    graph = sg.Graph.from_edge_index(edges, 5000)
    weight = torch.rand(70_000, dtype=acc(dtype))
    bits = sg.Mask.from_bool(torch.rand(70_000) < 0.6).packed
    for width in (5, 64, 300):
        grad, x = torch.randn(2, 5000, width).to(dtype)
        arguments = (grad, x, weight, None, bits, None, None)
        expected = torch.ops.sparsegnn.spmm_grad(*graph.csr, *arguments)
        moved = [on_gpu(value) for value in arguments]
        actual = torch.ops.sparsegnn.spmm_grad(*graph.to("cuda").csr, *moved)
        again = torch.ops.sparsegnn.spmm_grad(*graph.to("cuda").csr, *moved)
        for left, second, right in zip(actual, again, expected, strict=True):
            assert torch.equal(left, second)
            assert_close(left.cpu() / 100, right / 100)  # sums of 70000 terms


def test_offsets_past_31_bits() -> None:
    rows, width = 4_200_000, 512  # 2.15e9 elements
    free, _ = torch.cuda.mem_get_info()
    if free < 10 * 2**30:
        pytest.skip("needs 10 GiB of free GPU memory")
    x = torch.zeros(rows, width, dtype=torch.bfloat16, device="cuda")
    x[-1] = 2
    edges = torch.tensor([[rows - 1, 0, rows - 1], [0, 0, 1]])
    graph = sg.Graph.from_edge_index(edges, num_src=rows, num_dst=2).to("cuda")
    assert (sg.ops.spmm(graph, x) == 2).all()
    ones = torch.ones(2, width, dtype=torch.bfloat16, device="cuda")
    dots = sg.ops.sddmm(graph, ones, x)
    assert dots.tolist() == [2.0 * width, 0.0, 2.0 * width]
