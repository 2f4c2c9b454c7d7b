import math
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch.autograd import gradcheck, gradgradcheck

import sparsegnn as sg
from sparsegnn.testing import assert_close

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
SHAPES = [
    (0, 4, 3, 1),
    (1, 1, 1, 1),
    (20, 33, 17, 5),
    (65, 300, 70, 9),
    (7, 5, 0, 2),
    (300, 9, 40, 4),
]


def sparse(rows: int, cols: int, density: float = 0.3, dtype: Any = torch.float32) -> torch.Tensor:
    return (torch.randn(rows, cols) * (torch.rand(rows, cols) < density)).to(dtype)


def scipy_product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """A third party's product of the stored entries, in float64."""
    left, right = (sp.csr_matrix(m.detach().double().numpy()) for m in (a, b))
    return torch.from_numpy(np.asarray((left @ right).todense()))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("n,inner,o,k", SHAPES)
def test_equals_scipy(isa: int, n: int, inner: int, o: int, k: int, dtype: torch.dtype) -> None:
    rows = sg.ops.topk_rows(torch.randn(n, inner).to(dtype), k)
    dense = sparse(inner, o, dtype=dtype)
    expected = scipy_product(rows.to_dense(), dense)
    matrix = sg.SparseMatrix.from_dense(dense)
    for left in (rows, rows.to_sparse_matrix()):
        y = sg.ops.spgemm(left, matrix)
        assert y.dtype == dtype
        assert_close(y, expected)
    transposed = sg.SparseWeight.from_dense(dense.t().float())
    assert_close(sg.ops.spgemm(rows, transposed, transpose_b=True), expected)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gradients_equal_the_dense_ones_at_stored_entries(isa: int, dtype: torch.dtype) -> None:
    rows = sg.ops.topk_rows(torch.randn(300, 40).to(dtype), 6)
    dense = sparse(40, 30, dtype=dtype)
    for left in (rows, rows.to_sparse_matrix()):
        a = left.values.detach().requires_grad_()
        left.values = a
        matrix = sg.SparseMatrix.from_dense(dense)
        b = matrix.values.requires_grad_()
        y = sg.ops.spgemm(left, matrix)
        g = torch.randn_like(y)
        actual = torch.autograd.grad(y, (a, b), g)
        product = left.to_dense().double() @ matrix.to_dense().double()
        expected = torch.autograd.grad(product, (a, b), g.double())
        for one, other in zip(actual, expected, strict=True):
            assert_close(one, other, dtype)


def test_rows_times_rows() -> None:
    a, b = sg.ops.topk_rows(torch.randn(30, 20), 4), sg.ops.topk_rows(torch.randn(20, 300), 7)
    assert_close(sg.ops.spgemm(a, b), scipy_product(a.to_dense(), b.to_dense()))
    c = sg.ops.topk_rows(torch.randn(9, 20), 3)
    assert_close(
        sg.ops.spgemm(a, c, transpose_b=True), scipy_product(a.to_dense(), c.to_dense().t())
    )


def test_gradcheck() -> None:
    rows = sg.ops.topk_rows(torch.randn(7, 9, dtype=torch.float64), 3)
    matrix = sg.SparseMatrix.from_dense(sparse(9, 5, dtype=torch.float64))

    def function(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return sg.ops.spgemm(sg.SparseRows(a, rows.ids, 9), sg.SparseMatrix(matrix.pattern, b))

    def by_pattern(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        left = sg.SparseRows(a, rows.ids, 9).to_sparse_matrix()
        return sg.ops.spgemm(left, sg.SparseMatrix(matrix.pattern, b))

    leaves = (rows.values.requires_grad_(), matrix.values.requires_grad_())
    for case in (function, by_pattern):
        assert gradcheck(case, leaves)
        assert gradgradcheck(case, leaves)


def test_parallel_entries_and_absent_entries() -> None:
    pattern = sg.Graph.from_edge_index(torch.tensor([[1, 1, 0], [0, 0, 2]]), num_src=4, num_dst=3)
    b = sg.SparseMatrix(pattern, torch.tensor([1.0, 2.0, 4.0]))
    a = sg.SparseMatrix.from_dense(torch.tensor([[1.0, math.nan, 0.0], [0.0, 0.0, 2.0]]))
    y = sg.ops.spgemm(a, b)
    assert y.tolist() == [[0.0, 3.0, 0.0, 0.0], [8.0, 0.0, 0.0, 0.0]]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_bad_numbers_meet_stored_entries_only(isa: int, bad: float) -> None:
    """Also where a dense copy of b would be faster."""
    rows = sg.ops.topk_rows(torch.randn(400, 64), 8)
    dense = sparse(64, 50)
    matrix = sg.SparseMatrix.from_dense(dense)
    clean = sg.ops.spgemm(rows, matrix)
    assert_close(clean, scipy_product(rows.to_dense(), dense))
    rows.values[7, 3] = bad
    y = sg.ops.spgemm(rows, matrix)
    reached = dense[int(rows.ids[7, 3])] != 0
    assert not y[7, reached].isfinite().any()
    assert_close(y[7, ~reached], clean[7, ~reached].double())
    y[7], clean[7] = 0, 0
    assert_close(y, clean.double())


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_same_bits_for_every_thread_count(threads: int) -> None:
    rows = sg.ops.topk_rows(torch.randn(3000, 64), 8)
    matrix = sg.SparseMatrix.from_dense(sparse(64, 50))
    leaves = (rows.values.requires_grad_(), matrix.values.requires_grad_())

    def run() -> tuple[torch.Tensor, ...]:
        y = sg.ops.spgemm(rows, matrix)
        return (y, *torch.autograd.grad(y.square().sum(), leaves))

    torch.set_num_threads(1)
    expected = run()
    torch.set_num_threads(threads)
    for left, right in zip(run(), expected, strict=True):
        assert torch.equal(left, right)


def test_the_transpose_for_gpus_is_that_of_the_pattern() -> None:
    from sparsegnn.ops.spmm_rows_derivative import _with_transpose

    pattern = sg.SparseMatrix.from_dense(sparse(30, 20)).pattern
    bare = pattern.csr._replace(t_rowptr=None, t_col=None, t_edge_id=None)
    operand = (None, torch.zeros(20, 1), torch.zeros(20, 1))
    made = _with_transpose(bare, operand)
    expected = pattern.in_storage_order().csr
    for left, right in zip(made, expected, strict=True):
        assert (left is None and right is None) or torch.equal(left, right)


def test_compiles_to_one_graph() -> None:
    torch._dynamo.reset()
    matrix = sg.SparseMatrix.from_dense(sparse(12, 9))

    def step(x: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        weight = sg.SparseMatrix(matrix.pattern, b)
        return sg.ops.spgemm(sg.ops.topk_rows(x, 3), weight).square().sum()

    compiled = torch.compile(step, fullgraph=True, backend="aot_eager", dynamic=True)
    leaves = (torch.randn(40, 12, requires_grad=True), matrix.values.requires_grad_())
    expected = torch.autograd.grad(step(*leaves), leaves)
    actual = torch.autograd.grad(compiled(*leaves), leaves)
    for left, right in zip(actual, expected, strict=True):
        torch.testing.assert_close(left, right)


def test_bad_arguments() -> None:
    rows, matrix = sg.ops.topk_rows(torch.randn(5, 6), 2), sg.SparseMatrix.from_dense(sparse(7, 4))
    with pytest.raises(ValueError, match="b must have 6 rows, the columns of a, got 7"):
        sg.ops.spgemm(rows, matrix)
    with pytest.raises(ValueError, match="b must have 6 rows, the columns of a, got 4"):
        sg.ops.spgemm(rows, matrix, transpose_b=True)
