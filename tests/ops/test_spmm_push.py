"""Products of sparse features: many gathers of few rows, and few results of many rows."""

import pytest
import torch

import sparsegnn as sg
from sparsegnn.testing import assert_close

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
NODES, FEATURES, WIDTH, PER_NODE = 14500, 300, 300, 16  # x is far away, also in 16 bits


def features(dtype: torch.dtype, in_order: bool = True) -> tuple[sg.Graph, torch.Tensor]:
    """A pattern with 16 entries in every row, and their values."""
    generator = torch.Generator().manual_seed(0)
    column = torch.randint(0, FEATURES, (NODES * PER_NODE,), generator=generator)
    row = torch.arange(NODES).repeat_interleave(PER_NODE)
    order = slice(None) if in_order else torch.randperm(len(row), generator=generator)
    edges = torch.stack([column, row])[:, order]
    acc = torch.float64 if dtype == torch.float64 else torch.float32
    values = torch.randn(len(row), generator=generator, dtype=acc)
    return sg.Graph.from_edge_index(edges, num_src=FEATURES, num_dst=NODES), values


def dense(g: sg.Graph, values: torch.Tensor, keep: torch.Tensor | None = None) -> torch.Tensor:
    column, row = g.edge_index
    kept = values.double() if keep is None else values.double() * keep
    matrix = torch.zeros(g.num_dst, g.num_src, dtype=torch.float64)
    return matrix.index_put((row, column), kept, accumulate=True)


@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_both_products(isa: int, dtype: torch.dtype, in_order: bool) -> None:
    g, values = features(dtype, in_order)
    matrix = dense(g, values)
    weight = torch.randn(FEATURES, WIDTH).to(dtype)
    assert_close(sg.ops.spmm(g, weight, values), matrix @ weight.double())
    grad = torch.randn(NODES, WIDTH).to(dtype)
    assert_close(sg.ops.spmm(g, grad, values, transpose=True), matrix.t() @ grad.double())


@pytest.mark.parametrize("width", [256, 257, 290, 512])
def test_masks_and_columns_left_over(isa: int, width: int) -> None:
    g, values = features(torch.float32)
    keep = torch.rand(g.num_edges) > 0.3
    grad = torch.randn(NODES, width)
    matrix = dense(g, values, keep)
    grad[~keep.view(NODES, PER_NODE).any(1)] = torch.nan  # what nothing keeps does not reach y
    for mask in (keep, keep.float()):
        y = sg.ops.spmm(g, torch.nan_to_num(grad), values, mask, transpose=True)
        assert_close(y, matrix.t() @ torch.nan_to_num(grad).double())
    assert sg.ops.spmm(g, grad, values, keep, transpose=True).isfinite().all()
    wide = torch.randn(NODES, 2 * width)[:, width:]
    ones = dense(g, torch.ones(g.num_edges))
    assert_close(sg.ops.spmm(g, wide, transpose=True), ones.t() @ wide.double())


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_same_bits_for_every_thread_count(threads: int) -> None:
    g, values = features(torch.float32)
    weight, grad = torch.randn(FEATURES, 500), torch.randn(NODES, 500)

    def run() -> tuple[torch.Tensor, torch.Tensor]:
        return sg.ops.spmm(g, weight, values), sg.ops.spmm(g, grad, values, transpose=True)

    torch.set_num_threads(1)
    expected = run()
    torch.set_num_threads(threads)
    for left, right in zip(run(), expected, strict=True):
        assert torch.equal(left, right)


def test_wide_indices(monkeypatch: pytest.MonkeyPatch) -> None:
    g, values = features(torch.float32)
    grad = torch.randn(NODES, WIDTH)
    expected = sg.ops.spmm(g, grad, values, transpose=True)
    monkeypatch.setattr("sparsegnn.graph._INT32_LIMIT", 10)
    wide, _ = features(torch.float32)
    assert wide.rowptr.dtype == torch.int64
    assert torch.equal(sg.ops.spmm(wide, grad, values, transpose=True), expected)


def test_without_a_transpose_it_gathers() -> None:
    """Callers of the raw operator may leave the transpose empty where nothing is differentiated."""
    g, values = features(torch.float32)
    grad, csr = torch.randn(NODES, WIDTH), g.csr.transposed()
    empty = torch.zeros_like(csr.t_rowptr)
    nothing = (None,) * 5
    for t_rowptr, t_col in ((empty, csr.t_col), (empty.long(), csr.t_col), (empty, csr.t_col[:0])):
        y = torch.ops.sparsegnn.spmm(
            *csr[:3], t_rowptr, t_col, None, grad, values, *nothing, False, False
        )
        assert_close(y, sg.ops.spmm(g, grad, values, transpose=True).double())


def test_gradients_of_a_projection() -> None:
    """Those of the weight and of the values, against the dense product."""
    g, values = features(torch.float64)
    weight = torch.randn(FEATURES, WIDTH, dtype=torch.float64, requires_grad=True)
    values.requires_grad_()
    upstream = torch.randn(NODES, WIDTH, dtype=torch.float64)
    actual = torch.autograd.grad(sg.ops.spmm(g, weight, values), (weight, values), upstream)
    matrix = dense(g, values)
    expected = torch.autograd.grad(matrix @ weight, (weight, values), upstream)
    for left, right in zip(actual, expected, strict=True):
        torch.testing.assert_close(left, right)
