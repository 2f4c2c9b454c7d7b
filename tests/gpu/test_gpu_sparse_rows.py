"""Operators on sparse rows on the GPU against the CPU backend."""

import pytest
import torch

import sparsegnn as sg
from sparsegnn.testing import ADVERSARIAL, adversarial_graph, assert_close

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]


@pytest.mark.parametrize("by", ["value", "magnitude"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("width", [1, 31, 256, 257, 1024, 1025, 40_000])
def test_topk_rows_is_the_same_on_both_devices(width: int, dtype: torch.dtype, by: str) -> None:
    x = torch.randn(70, width).to(dtype)
    x[:, ::3] = 0.25
    x[1::2, ::5] = float("nan")
    for k in (1, width // 8, width):
        expected = sg.ops.topk_rows(x, k, by=by)
        actual = sg.ops.topk_rows(x.to("cuda"), k, by=by)
        assert torch.equal(actual.ids.cpu(), expected.ids)
        assert torch.equal(actual.values.cpu().nan_to_num(9.0), expected.values.nan_to_num(9.0))


def step(g: sg.Graph, values: torch.Tensor, x: sg.SparseRows, w: torch.Tensor, keep: torch.Tensor):
    """A product with sparse rows, its epilogue, and the gradients."""
    rows = sg.SparseRows(values, x.ids, x.num_cols)
    y = sg.ops.spmm(g, rows, w, keep, reduce="mean", relu=True)
    return [t.detach().cpu() for t in (y, *torch.autograd.grad(y.square().sum(), (values, w)))]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_spmm_of_sparse_rows(name: str, dtype: torch.dtype) -> None:
    g = adversarial_graph(name).graph()
    kind = torch.float64 if dtype == torch.float64 else torch.float32
    weight, keep = torch.rand(g.num_edges, dtype=kind), torch.rand(g.num_edges) < 0.6
    for width, k in ((5, 2), (64, 64), (300, 9), (1100, 40)):
        x = sg.ops.topk_rows(torch.randn(g.num_src, width).to(dtype), k)
        results = []
        for device in ("cpu", "cuda"):
            values = x.values.to(device).requires_grad_()
            w = weight.to(device).requires_grad_()
            results.append(step(g.to(device), values, x.to(device), w, keep.to(device)))
        for expected, actual in zip(*results, strict=True):
            assert_close(actual, expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_spgemm(dtype: torch.dtype) -> None:
    rows = sg.ops.topk_rows(torch.randn(3000, 40).to(dtype), 6)
    dense = (torch.randn(40, 30) * (torch.rand(40, 30) < 0.3)).to(dtype)
    results = []
    for device in ("cpu", "cuda"):
        a = rows.values.to(device).requires_grad_()
        matrix = sg.SparseMatrix.from_dense(dense).to(device)
        b = matrix.values.detach().requires_grad_()
        left = sg.SparseRows(a, rows.ids.to(device), 40)
        y = sg.ops.spgemm(left, sg.SparseMatrix(matrix.pattern, b))
        c = sg.ops.spgemm(left, sg.SparseMatrix(matrix.pattern, b), out="csr")
        assert_close(c.to_dense().detach(), y.detach().double(), dtype)
        sparse = torch.autograd.grad(c.values.sum(), (a, b))
        dense = torch.autograd.grad(y.sum(), (a, b))
        results.append([t.detach().cpu() for t in (y, *dense, c.values, *sparse)])
    for expected, actual in zip(*results, strict=True):
        assert_close(actual, expected, dtype)
