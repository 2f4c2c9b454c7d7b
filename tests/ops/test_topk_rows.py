import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

import sparsegnn as sg
from sparsegnn.testing import reference_topk_rows

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
SPECIAL = [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 1e-45, -1e-45, 65504.0, 0.5, -0.5]
WIDTHS = [1, 2, 7, 15, 16, 17, 63, 64, 65, 130, 256, 257]
OP = torch.ops.sparsegnn.topk_rows.default


def compare(x: torch.Tensor, k: int, magnitude: bool = False) -> None:
    rows = sg.ops.topk_rows(x, k, by="magnitude" if magnitude else "value")
    values, ids = reference_topk_rows(x, k, magnitude)
    assert torch.equal(rows.ids.long(), ids)
    assert torch.equal(rows.values.nan_to_num(12345.0), values.nan_to_num(12345.0))


@pytest.mark.parametrize("magnitude", [False, True])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_random_rows(isa: int, dtype: torch.dtype, magnitude: bool) -> None:
    for width in WIDTHS:
        x = torch.randn(9, width).to(dtype)
        for k in {0, 1, width // 8, width // 2, width - 1, width}:
            compare(x, k, magnitude)


@pytest.mark.parametrize("magnitude", [False, True])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_ties_nan_and_extremes(isa: int, dtype: torch.dtype, magnitude: bool) -> None:
    generator = torch.Generator().manual_seed(5)
    special = torch.tensor(SPECIAL, dtype=torch.float64)
    for width in (5, 40, 200):
        pick = torch.randint(0, len(SPECIAL), (30, width), generator=generator)
        few = torch.randint(0, 3, (30, width), generator=generator)
        x = torch.cat([special[pick], special[few], special[few + 4]]).to(dtype)
        for k in (1, 3, width // 2, width - 1, width):
            compare(x, k, magnitude)


@settings(max_examples=150, deadline=None)
@given(row=st.lists(st.sampled_from(SPECIAL), min_size=1, max_size=80), data=st.data())
def test_equals_the_reference_on_ties_nan_and_zeros(row: list[float], data: st.DataObject) -> None:
    k = data.draw(st.integers(0, len(row)))
    compare(torch.tensor([row]), k, data.draw(st.booleans()))


@settings(max_examples=150, deadline=None)
@given(row=st.lists(st.floats(width=32), min_size=1, max_size=80), data=st.data())
def test_any_floats(row: list[float], data: st.DataObject) -> None:
    compare(torch.tensor([row]), data.draw(st.integers(1, len(row))), data.draw(st.booleans()))


@pytest.mark.parametrize("width,dtype", [(300, torch.int16), (40000, torch.int32)])
def test_wide_rows_have_wider_ids(isa: int, width: int, dtype: torch.dtype) -> None:
    x = torch.randn(3, width)
    assert sg.ops.topk_rows(x, 5).ids.dtype == dtype
    compare(x, width // 3)


def test_constant_rows_keep_the_lowest_columns() -> None:
    assert sg.ops.topk_rows(torch.ones(3, 10), 4).ids.tolist() == [[0, 1, 2, 3]] * 3


def test_strided_and_empty_input() -> None:
    wide = torch.randn(20, 50)
    for x in (wide[:, 3:40], wide.t(), wide[::2, ::3], wide[:0]):
        compare(x, 7)
    assert sg.ops.topk_rows(wide[:, :0], 0).shape == (20, 0)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_same_rows_for_every_thread_count(threads: int) -> None:
    x = torch.randn(3000, 100).half()
    torch.set_num_threads(1)
    expected = sg.ops.topk_rows(x, 9)
    torch.set_num_threads(threads)
    actual = sg.ops.topk_rows(x, 9)
    assert torch.equal(actual.ids, expected.ids)
    assert torch.equal(actual.values, expected.values)


def test_gradients_reach_the_kept_places_only() -> None:
    x = torch.randn(6, 9, dtype=torch.float64, requires_grad=True)
    rows = sg.ops.topk_rows(x, 4)
    (grad,) = torch.autograd.grad(rows.values.sum(), x)
    assert torch.equal(grad, rows.to_dense().ne(0).double())
    assert not rows.ids.requires_grad

    def function(x: torch.Tensor) -> torch.Tensor:
        return sg.ops.topk_rows(x, 4, by="magnitude").values.square()

    assert gradcheck(function, (x,))
    assert gradgradcheck(function, (x,))


def test_opcheck() -> None:
    torch.library.opcheck(OP, (torch.randn(5, 8), 3, False))
    torch.library.opcheck(OP, (torch.randn(5, 300, requires_grad=True), 3, True))


def test_fake_cuda_tensors_give_cuda_results() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        values, ids = OP(torch.empty(5, 300, device="cuda", dtype=torch.float16), 7, False)
    assert values.device.type == ids.device.type == "cuda"
    assert (values.shape, values.dtype, ids.dtype) == ((5, 7), torch.float16, torch.int16)


def test_compiles_to_one_graph() -> None:
    torch._dynamo.reset()

    def step(x: torch.Tensor) -> torch.Tensor:
        return sg.ops.topk_rows(x, 3).to_dense().square().sum()

    compiled = torch.compile(step, fullgraph=True, backend="aot_eager", dynamic=True)
    x = torch.randn(10, 12, requires_grad=True)
    expected = torch.autograd.grad(step(x), x)
    assert torch.equal(torch.autograd.grad(compiled(x), x)[0], expected[0])


@pytest.mark.parametrize("k", [-1, 7])
def test_k_out_of_range(k: int) -> None:
    with pytest.raises(ValueError, match=rf"k must lie in \[0, 6\], the columns of x, got {k}"):
        sg.ops.topk_rows(torch.ones(2, 6), k)


def test_bad_arguments() -> None:
    with pytest.raises(TypeError, match="k must be an int, got float"):
        sg.ops.topk_rows(torch.ones(2, 6), 1.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="by must be 'value' or 'magnitude', got 'size'"):
        sg.ops.topk_rows(torch.ones(2, 6), 1, by="size")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="x must have 2 dimensions"):
        sg.ops.topk_rows(torch.ones(6), 1)
    with pytest.raises(ValueError, match="x must be float32"):
        sg.ops.topk_rows(torch.ones(2, 6, dtype=torch.int32), 1)


@pytest.mark.parametrize("fraction", [0.0, 0.0138, 0.0328, 0.262, 0.469, 1.0])
def test_matrix_keeps_the_exact_share(fraction: float) -> None:
    x = torch.randn(40, 30)
    matrix = sg.ops.topk_matrix(x, fraction=fraction)
    assert matrix.nnz == round(fraction * 1200)
    threshold = x.abs().flatten().sort(descending=True).values[: matrix.nnz]
    kept = matrix.to_dense()
    assert torch.equal(kept, torch.where(kept != 0, x, 0.0))
    assert torch.equal(matrix.values.abs().sort(descending=True).values, threshold)


def test_matrix_gradient_and_bad_arguments() -> None:
    x = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x: sg.ops.topk_matrix(x, count=7).values.square(), (x,))
    with pytest.raises(ValueError, match=r"count must lie in \[0, 20\], got 21"):
        sg.ops.topk_matrix(x, count=21)
    with pytest.raises(ValueError, match=r"fraction must lie in \[0, 1\], got 1.5"):
        sg.ops.topk_matrix(x, fraction=1.5)
    with pytest.raises(ValueError, match="exactly one of count and fraction"):
        sg.ops.topk_matrix(x)
    with pytest.raises(ValueError, match="x must have 2 dimensions"):
        sg.ops.topk_matrix(x[0], count=1)
