"""`spmm_topk` is `topk_rows` of `spmm`, bit for bit, on every path."""

from typing import Any

import pytest
import torch
from torch.autograd import gradcheck

import sparsegnn as sg
from sparsegnn.testing import (
    ADVERSARIAL,
    adversarial_graph,
    reference_spmm,
    reference_topk_rows,
)

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
OP = torch.ops.sparsegnn.spmm_topk.default


def graph_of(nodes: int, edges: int) -> sg.Graph:
    return sg.Graph.from_edge_index(torch.randint(0, nodes, (2, edges)), num_nodes=nodes)


def compare(g: sg.Graph, x: torch.Tensor, k: int, by: str = "value", **rest: Any) -> None:
    fused = sg.ops.spmm_topk(g, x, k, by=by, **rest)  # type: ignore[arg-type]
    parts = sg.ops.topk_rows(sg.ops.spmm(g, x, **rest), k, by=by)  # type: ignore[arg-type]
    assert torch.equal(fused.ids, parts.ids)
    assert torch.equal(fused.values.nan_to_num(9.0), parts.values.nan_to_num(9.0))
    assert (fused.shape, fused.ids.dtype) == (parts.shape, parts.ids.dtype)


@pytest.mark.parametrize("by", ["value", "magnitude"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_same_bits_as_its_parts(isa: int, dtype: torch.dtype, by: str) -> None:
    g = graph_of(700, 6000)
    acc = torch.float64 if dtype == torch.float64 else torch.float32
    values = {
        "edge_weight": torch.randn(6000, dtype=acc),
        "edge_mask": torch.rand(6000) < 0.6,
        "row_scale": torch.rand(700, dtype=acc),
        "col_scale": torch.rand(700, dtype=acc),
    }
    for width, k in ((1, 1), (17, 3), (64, 64), (300, 8), (300, 0)):
        x = torch.randn(700, width).to(dtype)
        compare(g, x, k, by)
        compare(g, x, k, by, **values, bias=torch.randn(width, dtype=acc), relu=True)
        compare(g, x, k, by, reduce="mean", edge_mask=torch.rand(6000, dtype=acc))


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_against_float64(name: str) -> None:
    edges = adversarial_graph(name)
    x = torch.randn(edges.num_src, 9, dtype=torch.float64)
    rows = sg.ops.spmm_topk(edges.graph(), x, 4)
    y = reference_spmm(edges.edge_index, edges.num_dst, x)
    values, ids = reference_topk_rows(y, 4, False)
    torch.testing.assert_close(rows.values, values)
    torch.testing.assert_close(rows.to_dense(), torch.zeros_like(y).scatter(1, ids, values))


def test_large_indices_and_the_transpose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparsegnn.graph._INT32_LIMIT", 10)
    edge_index = torch.stack([torch.randint(0, 90, (800,)), torch.randint(0, 40, (800,))])
    g = sg.Graph.from_edge_index(edge_index, num_src=90, num_dst=40)
    assert g.csr.col.dtype == torch.int64
    compare(g, torch.randn(90, 33), 5, row_scale=torch.rand(40))
    compare(g, torch.randn(40, 33), 5, transpose=True, row_scale=torch.rand(90))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_same_rows_for_every_thread_count(threads: int) -> None:
    g, x = graph_of(3000, 40000), torch.randn(3000, 100)
    torch.set_num_threads(1)
    expected = sg.ops.spmm_topk(g, x, 9)
    torch.set_num_threads(threads)
    actual = sg.ops.spmm_topk(g, x, 9)
    assert torch.equal(actual.ids, expected.ids)
    assert torch.equal(actual.values, expected.values)


def test_gradients_flow_through_the_kept_entries() -> None:
    g = graph_of(8, 30)
    x = torch.randn(8, 6, dtype=torch.float64, requires_grad=True)
    w = torch.randn(30, dtype=torch.float64, requires_grad=True)

    def function(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return sg.ops.spmm_topk(g, x, 2, edge_weight=w).values.square()

    assert gradcheck(function, (x, w))
    with torch.no_grad():
        assert torch.equal(function(x, w), sg.ops.spmm_topk(g, x, 2, edge_weight=w).values.square())


def test_opcheck_fake_and_compile() -> None:
    g, x = graph_of(20, 90), torch.randn(20, 12)
    none = (None,) * 6
    torch.library.opcheck(OP, (*g.csr, x, *none, False, True, 3, False))
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode() as mode:
        csr = [mode.from_tensor(t) if isinstance(t, torch.Tensor) else t for t in g.csr]
        values, ids = OP(*csr, torch.empty(20, 300), *none, False, False, 7, False)
    assert (values.shape, ids.shape, ids.dtype) == ((20, 7), (20, 7), torch.int16)
    torch._dynamo.reset()

    def step(x: torch.Tensor) -> torch.Tensor:
        return sg.ops.spmm_topk(g, x, 3, relu=True).to_dense()

    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(x), step(x))


def test_bad_arguments() -> None:
    g, x = graph_of(6, 20), torch.randn(6, 5)
    with pytest.raises(ValueError, match=r"k must lie in \[0, 5\], the columns of x, got 6"):
        sg.ops.spmm_topk(g, x, 6)
    with pytest.raises(ValueError, match="reduce must be 'sum' or 'mean', got 'max'"):
        sg.ops.spmm_topk(g, x, 2, reduce="max")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="by must be 'value' or 'magnitude'"):
        sg.ops.spmm_topk(g, x, 2, by="size")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="x must have one row per source node, 6"):
        sg.ops.spmm_topk(g, x[:4], 2)
