"""Operators and layers under `torch.autocast`: features are cast, values and weights are not."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode

import sparsegnn as sg
from sparsegnn.testing import random_graph

EDGES = random_graph(40, 40, 300, seed=2)
GRAPH = EDGES.graph()
KEEP = sg.Mask.from_bool(torch.arange(300) % 4 != 1)
BF16 = torch.bfloat16
Product = Callable[[Tensor], Tensor]


def cpu_autocast(dtype: torch.dtype = BF16) -> torch.autocast:
    return torch.autocast("cpu", dtype=dtype)


def uniform(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def products() -> dict[str, Product]:
    """Every matrix product as a function of its features `[40, 48]`."""
    edge, rows, bias, shift = uniform(300), uniform(40), uniform(48), uniform(32)
    dense = uniform(32, 48) * (uniform(32, 48) < 0.3)
    sparse, compact = sg.SparseWeight.from_dense(dense), sg.CompactWeight.from_dense(dense)
    dense = torch.nn.functional.pad(dense, (0, 0, 0, 16))
    dead = sg.CompactWeight.from_dense(dense)
    block = sg.BlockWeight.from_dense(dense, 16)
    scores = uniform(40, 3)
    return {
        "spmm": lambda x: sg.ops.spmm(GRAPH, x, edge, KEEP, row_scale=rows, bias=bias, relu=True),
        "spmm mean": lambda x: sg.ops.spmm(GRAPH, x, reduce="mean", residual=x),
        "spmm transpose": lambda x: sg.ops.spmm(GRAPH, x, edge, edge, transpose=True),
        "spmm max": lambda x: sg.ops.spmm(GRAPH, x, edge, KEEP, reduce="max", bias=bias),
        "spmm rows": lambda x: sg.ops.spmm(GRAPH, sg.ops.topk_rows(x, 5), edge, residual=x),
        "sddmm": lambda x: sg.ops.sddmm(GRAPH, x, x, KEEP),
        "spgemm": lambda x: sg.ops.spgemm(
            sg.ops.topk_rows(x, 5), sg.SparseMatrix.from_dense(dense), transpose_b=True
        ),
        "sparse_linear": lambda x: sg.ops.sparse_linear(x, sparse, shift),
        "block_linear": lambda x: sg.ops.block_linear(x, block, bias),
        "compact_linear": lambda x: sg.ops.compact_linear(x, compact, shift),
        "compact_linear, dead rows": lambda x: sg.ops.compact_linear(x, dead),
        "gat": lambda x: sg.ops.gat(GRAPH, x.view(40, 3, 16), scores, scores, KEEP),
        "gatv2": lambda x: sg.ops.gatv2(
            GRAPH, *[x.view(40, 3, 16)] * 2, dense.view(-1, 16)[:3], KEEP
        ),
    }


NAMES = list(products())


@pytest.mark.parametrize("dtype", [BF16, torch.float16], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_equals_the_call_with_features_in_the_dtype(name: str, dtype: torch.dtype) -> None:
    product = products()[name]
    x = torch.randn(40, 48)
    expected = product(x.to(dtype))
    with cpu_autocast(dtype):
        actual = product(x)
    assert actual.dtype == (torch.float32 if name == "sddmm" else dtype)
    assert torch.equal(actual, expected)
    exact = product(x).float()
    assert (actual.float() - exact).abs().max() < 0.03 * exact.abs().max()


@pytest.mark.parametrize("name", NAMES)
def test_float64_is_left_alone(name: str) -> None:
    product = products()[name]
    x = torch.randn(40, 48, dtype=torch.float64)
    with cpu_autocast():
        assert torch.equal(product(x), product(x.clone()))
        assert product(x).dtype == torch.float64


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_has_the_dtype_of_the_input(name: str) -> None:
    product = products()[name]
    x = torch.randn(40, 48, requires_grad=True)
    lower = x.detach().to(BF16).requires_grad_()
    with cpu_autocast():
        y = product(x)
    (actual,) = torch.autograd.grad(y.float().sum(), x)
    (expected,) = torch.autograd.grad(product(lower).float().sum(), lower)
    assert actual.dtype == torch.float32
    # Parts of x that is used twice are added in float32, not in bfloat16.
    torch.testing.assert_close(actual, expected.float(), rtol=2**-7, atol=2**-7)


def test_what_is_no_product_keeps_its_dtype() -> None:
    x, scores = torch.randn(40, 48), torch.randn(300, 2)
    with cpu_autocast():
        assert sg.ops.edge_softmax(GRAPH, scores).dtype == torch.float32
        assert sg.ops.edge_softmax(GRAPH, scores.to(BF16)).dtype == torch.float32
        assert sg.ops.edge_scores(GRAPH, x, x).dtype == torch.float32
        assert sg.ops.dropout(x, 0.5).dtype == torch.float32
        assert sg.ops.topk_rows(x, 3).dtype == torch.float32


def test_out_dtype_goes_before_autocast() -> None:
    x = torch.randn(40, 48)
    expected = sg.ops.spmm(GRAPH, x.to(BF16), residual=x, out_dtype=torch.float32)
    with cpu_autocast():
        actual = sg.ops.spmm(GRAPH, x, residual=x, out_dtype=torch.float32)
    assert actual.dtype == torch.float32 and torch.equal(actual, expected)


def test_autocast_can_be_switched_off_within() -> None:
    x = torch.randn(40, 48)
    with cpu_autocast(), torch.autocast("cpu", enabled=False):
        assert sg.ops.spmm(GRAPH, x).dtype == torch.float32


def test_bad_input_stays_bad_input() -> None:
    with cpu_autocast():
        for x in (torch.ones(40, 3, dtype=torch.int64), [[1.0]], torch.ones(40, 3).cfloat()):
            with pytest.raises((TypeError, ValueError), match="x must"):
                sg.ops.spmm(GRAPH, x)  # type: ignore[arg-type]
        with pytest.raises((TypeError, ValueError), match="residual must"):
            sg.ops.spmm(GRAPH, torch.ones(40, 3), residual=torch.ones(40, 3).int())


@pytest.mark.parametrize("name", ["spmm", "sddmm", "sparse_linear", "block_linear", "gat"])
def test_compiles_and_follows_the_context(name: str) -> None:
    product = products()[name]
    compiled = torch.compile(product, fullgraph=True, backend="aot_eager")
    x = torch.randn(40, 48)
    with cpu_autocast():
        assert torch.equal(compiled(x), product(x))
    assert torch.equal(compiled(x), product(x))


@contextmanager
def cuda_autocast() -> Iterator[None]:
    """`torch.autocast("cuda")`, which switches itself off where there is no GPU."""
    before = torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda")
    torch.set_autocast_enabled("cuda", True)
    torch.set_autocast_dtype("cuda", BF16)
    try:
        yield
    finally:
        torch.set_autocast_enabled("cuda", before[0])
        torch.set_autocast_dtype("cuda", before[1])


def test_the_device_of_the_features_decides() -> None:
    with FakeTensorMode(), cuda_autocast():
        csr = [
            None if t is None else torch.empty(t.shape, dtype=t.dtype, device="cuda")
            for t in GRAPH.csr
        ]
        graph, x = SimpleNamespace(csr=csr, num_edges=300), torch.empty(40, 8, device="cuda")
        assert sg.ops.spmm(graph, x).dtype == BF16  # type: ignore[arg-type]
        assert sg.ops.sddmm(graph, x, x).dtype == torch.float32  # type: ignore[arg-type]
    with cuda_autocast():
        assert sg.ops.spmm(GRAPH, torch.ones(40, 8)).dtype == torch.float32


LAYERS: dict[str, Callable[[], Any]] = {
    "GCN": lambda: sg.nn.GCN(48, 16, 2, 5),
    "GATConv": lambda: sg.nn.GATConv(48, 8, heads=2, residual=True),
    "GATv2Conv": lambda: sg.nn.GATv2Conv(48, 8, heads=2, residual=True),
    "SparseLinear": lambda: sg.nn.SparseLinear(48, 5, mask=uniform(5, 48) < 0.5),
    "MaskedLinear": lambda: sg.nn.MaskedLinear(48, 5, mask=uniform(5, 48) < 0.5),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_trains(name: str) -> None:
    """Parameters and their gradients stay float32, near those of a step without autocast."""
    torch.manual_seed(0)
    layer, x = LAYERS[name](), torch.randn(40, 48)
    more = () if name.endswith("Linear") else (GRAPH,)
    results = []
    for enabled in (False, True):
        layer.zero_grad()
        with torch.autocast("cpu", dtype=BF16, enabled=enabled):
            y = layer(x, *more)
            loss = nn.functional.cross_entropy(y, torch.arange(40) % y.shape[1])
        assert y.dtype == (BF16 if enabled else torch.float32)
        loss.backward()
        results.append([loss.detach(), *(p.grad.clone() for p in layer.parameters())])
    for exact, lower in zip(*results, strict=True):
        assert lower.dtype == torch.float32
        assert (lower - exact).norm() <= 0.1 * exact.norm() + 1e-3
    torch.optim.SGD(layer.parameters(), lr=0.1).step()
    assert all(p.dtype == torch.float32 for p in layer.parameters())


def test_sparse_features_of_a_layer() -> None:
    layer = sg.nn.GCNConv(48, 33)
    x = sg.SparseMatrix.from_dense(torch.randn(40, 48) * (torch.rand(40, 48) < 0.1))
    with cpu_autocast():
        y = layer(x, GRAPH)
    assert y.dtype == BF16
    assert (y - layer(x, GRAPH)).abs().max() < 0.05


def test_the_norm_is_not_rounded() -> None:
    """A node of 300 edges: its degree is no bfloat16, and the norm is kept for later calls."""
    edges = torch.stack([torch.arange(301), torch.zeros(301, dtype=torch.int64)])

    def norms() -> list[Tensor]:
        graph = sg.Graph.from_edge_index(edges, 301)
        return [sg.nn.gcn_norm(graph, weight)[1] for weight in (None, uniform(301))]

    expected = norms()
    with cpu_autocast():
        actual = norms()
    assert all(map(torch.equal, actual, expected))
