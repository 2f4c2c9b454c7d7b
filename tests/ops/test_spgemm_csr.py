import math
from typing import Any

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import sparsegnn as sg
from sparsegnn.testing import ADVERSARIAL, adversarial_graph, assert_close, reference_spgemm

OPS = torch.ops.sparsegnn
DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
SHAPES = [
    (0, 4, 3, 1),
    (1, 1, 1, 1),
    (20, 33, 17, 5),
    (65, 300, 70, 9),
    (7, 5, 0, 2),
    (300, 9, 40, 4),
    (12, 40, 5000, 3),
]


def sparse(rows: int, cols: int, density: float = 0.3, dtype: Any = torch.float32) -> torch.Tensor:
    return (torch.randn(rows, cols) * (torch.rand(rows, cols) < density)).to(dtype)


def as_dicts(matrix: sg.SparseMatrix) -> list[dict[int, float]]:
    """Rows as {column: value}, parallel entries added up."""
    rows: list[dict[int, float]] = [{} for _ in range(matrix.shape[0])]
    col, row = matrix.pattern.edge_index.tolist()
    for i, k, value in zip(row, col, matrix.values.double().tolist(), strict=True):
        rows[i][k] = rows[i].get(k, 0.0) + value
    return rows


def check(product: sg.SparseMatrix, a: sg.SparseMatrix, b: sg.SparseMatrix) -> None:
    """Against the reference: shape, pattern with ascending columns, values."""
    expected = reference_spgemm(as_dicts(a), as_dicts(b))
    csr = product.to_torch()
    assert product.shape == (a.shape[0], b.shape[1])
    assert csr.crow_indices().diff().tolist() == [len(row) for row in expected]
    assert csr.col_indices().tolist() == [k for row in expected for k in row]
    values = torch.tensor([v for row in expected for v in row.values()], dtype=torch.float64)
    assert_close(product.values, values)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("n,inner,o,k", SHAPES)
def test_equals_the_reference(
    isa: int, n: int, inner: int, o: int, k: int, dtype: torch.dtype
) -> None:
    rows = sg.ops.topk_rows(torch.randn(n, inner).to(dtype), k)
    dense = sparse(inner, o, dtype=dtype)
    matrix = sg.SparseMatrix.from_dense(dense)
    left = rows.to_sparse_matrix()
    for a in (rows, left):
        product = sg.ops.spgemm(a, matrix, out="csr")
        assert product.dtype == dtype
        check(product, left, matrix)
        assert_close(product.to_dense(), sg.ops.spgemm(a, matrix).double())
    weight = sg.SparseWeight.from_dense(dense.t().float())
    check(sg.ops.spgemm(rows, weight, transpose_b=True, out="csr"), left, matrix)


@pytest.mark.parametrize("name", ADVERSARIAL)
@pytest.mark.parametrize("limit", [None, 10], ids=["int32", "int64"])
def test_graphs_in_any_edge_order(
    name: str, limit: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if limit is not None:
        monkeypatch.setattr("sparsegnn.graph._INT32_LIMIT", limit)
    g = adversarial_graph(name).graph()
    a = sg.SparseMatrix(g, torch.randn(g.num_edges))
    b = sg.SparseMatrix(g.transpose(), torch.randn(g.num_edges))
    product = sg.ops.spgemm(a, b, out="csr")
    check(product, a, b)
    two_hops = sg.ops.spgemm(product, a, out="csr")  # a result without a pattern as an operand
    check(two_hops, product, a)


def test_structural_entries_stay() -> None:
    """An entry that cancels to zero is stored; NaN meets stored entries only."""
    a = sg.SparseMatrix.from_dense(torch.tensor([[1.0, -1.0, 0.0], [0.0, 0.0, math.nan]]))
    b = sg.SparseMatrix.from_dense(torch.tensor([[2.0, 0.0], [2.0, 5.0], [0.0, 3.0]]))
    csr = sg.ops.spgemm(a, b, out="csr").to_torch()
    assert csr.crow_indices().tolist() == [0, 2, 3]
    assert csr.col_indices().tolist() == [0, 1, 1]
    assert csr.values()[:2].tolist() == [0.0, -5.0]
    assert csr.values()[2].isnan()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gradients_equal_the_dense_ones_at_stored_entries(isa: int, dtype: torch.dtype) -> None:
    rows = sg.ops.topk_rows(torch.randn(300, 40).to(dtype), 6)
    dense = sparse(40, 90, density=0.1, dtype=dtype)
    a = rows.values.detach().requires_grad_()
    matrix = sg.SparseMatrix.from_dense(dense)
    b = matrix.values.requires_grad_()
    rows.values = a
    product = sg.ops.spgemm(rows, matrix, out="csr")
    g = torch.randn_like(product.values)
    actual = torch.autograd.grad(product.values, (a, b), g)
    dense_product = rows.to_dense().double() @ matrix.to_dense().double()
    col, row = product.pattern.edge_index
    expected = torch.autograd.grad(dense_product[row, col], (a, b), g.double())
    for one, other in zip(actual, expected, strict=True):
        assert_close(one, other, dtype)


def test_gradcheck() -> None:
    rows = sg.ops.topk_rows(torch.randn(7, 9, dtype=torch.float64), 3)
    matrix = sg.SparseMatrix.from_dense(sparse(9, 5, dtype=torch.float64))
    pair = sg.Graph.from_edge_index(torch.tensor([[1, 0, 1], [0, 2, 0]]), num_src=3, num_dst=9)

    def function(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        left = sg.SparseRows(a, rows.ids, 9)
        return sg.ops.spgemm(left, sg.SparseMatrix(matrix.pattern, b), out="csr").values

    def parallel(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Two entries of b stand in one place."""
        left = sg.SparseRows(a, rows.ids, 9)
        return sg.ops.spgemm(left, sg.SparseMatrix(pair, b), out="csr").values

    a = rows.values.requires_grad_()
    for case, b in ((function, matrix.values), (parallel, torch.randn(3).double())):
        leaves = (a, b.requires_grad_())
        assert gradcheck(case, leaves)
        assert gradgradcheck(case, leaves)


def native_arguments() -> tuple[tuple[Any, ...], ...]:
    """Arguments of the four native operators."""
    a = sg.SparseMatrix.from_dense(sparse(6, 9, dtype=torch.float64))
    b = sg.SparseMatrix.from_dense(sparse(9, 5, dtype=torch.float64))
    c = sg.ops.spgemm(a, b, out="csr")
    patterns = (a.pattern.rowptr, a.pattern.col, b.pattern.rowptr, b.pattern.col)
    rowptr, col = c.pattern.rowptr, c.pattern.col
    left = (*patterns[:2], a.values.requires_grad_())
    matrices = (*left, *patterns[2:], b.values.requires_grad_(), rowptr, col)
    g = torch.randn_like(c.values, requires_grad=True)
    return (
        (*patterns, 5),
        (*patterns, rowptr, col.clone(), 5),
        (*matrices, 5),
        (*matrices, None, None, None, g, 5, True, True),
    )


@pytest.mark.slow
@pytest.mark.parametrize("place", range(4))
def test_opcheck(place: int) -> None:
    name = ("spgemm_sizes", "spgemm_columns", "spgemm_values", "spgemm_grad")[place]
    torch.library.opcheck(getattr(OPS, name).default, native_arguments()[place])


def test_fake_cuda_tensors_give_cuda_results() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    arguments = native_arguments()
    with FakeTensorMode():
        for name, given in zip(("sizes", "columns", "values", "grad"), arguments, strict=True):
            fake = [
                torch.empty(v.shape, dtype=v.dtype, device="cuda")
                if isinstance(v, torch.Tensor)
                else v
                for v in given
            ]
            result = getattr(OPS, f"spgemm_{name}").default(*fake)
            for part in result if isinstance(result, tuple) else (result,):
                assert part is None or part.device.type == "cuda"


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_same_bits_for_every_thread_count(threads: int) -> None:
    rows = sg.ops.topk_rows(torch.randn(3000, 64), 8)
    matrix = sg.SparseMatrix.from_dense(sparse(64, 500, density=0.05))
    leaves = (rows.values.requires_grad_(), matrix.values.requires_grad_())

    def run() -> tuple[torch.Tensor, ...]:
        c = sg.ops.spgemm(rows, matrix, out="csr")
        gradients = torch.autograd.grad(c.values.square().sum(), leaves)
        csr = c.to_torch()
        return csr.crow_indices(), csr.col_indices(), c.values, *gradients

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        expected = run()
        torch.set_num_threads(threads)
        for left, right in zip(run(), expected, strict=True):
            assert torch.equal(left, right)
    finally:
        torch.set_num_threads(before)


@torch._dynamo.config.patch(capture_scalar_outputs=True)
def test_compiles_to_one_graph() -> None:
    torch._dynamo.reset()
    matrix = sg.SparseMatrix.from_dense(sparse(12, 9))

    def step(x: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        weight = sg.SparseMatrix(matrix.pattern, b)
        return sg.ops.spgemm(sg.ops.topk_rows(x, 3), weight, out="csr").values.square().sum()

    compiled = torch.compile(step, fullgraph=True, backend="aot_eager", dynamic=True)
    for rows in (40, 50):
        leaves = (torch.randn(rows, 12, requires_grad=True), matrix.values.requires_grad_())
        expected = torch.autograd.grad(step(*leaves), leaves)
        actual = torch.autograd.grad(compiled(*leaves), leaves)
        for left, right in zip(actual, expected, strict=True):
            torch.testing.assert_close(left, right)


def test_bad_arguments() -> None:
    rows, matrix = sg.ops.topk_rows(torch.randn(5, 6), 2), sg.SparseMatrix.from_dense(sparse(7, 4))
    with pytest.raises(ValueError, match="b must have 6 rows, the columns of a, got 7"):
        sg.ops.spgemm(rows, matrix, out="csr")
    with pytest.raises(ValueError, match="out must be 'dense' or 'csr', got 'coo'"):
        sg.ops.spgemm(rows, matrix, out="coo")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="c_rowptr must have shape"):
        arguments = list(native_arguments()[2])
        arguments[6] = arguments[6][1:] * 0 + arguments[7].shape[0]
        OPS.spgemm_values.default(*arguments)
