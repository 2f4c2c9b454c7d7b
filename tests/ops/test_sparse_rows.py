import pytest
import torch
from torch.autograd import gradcheck

import sparsegnn as sg


def rows(dtype: torch.dtype = torch.float32) -> sg.SparseRows:
    values = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], dtype=dtype)
    return sg.SparseRows(values, torch.tensor([[0, 2], [1, 3], [2, 4]]), 5)


def test_shape_and_contents() -> None:
    r = rows()
    assert (r.shape, r.k, r.nnz, r.density) == ((3, 5), 2, 6, 0.4)
    assert (r.dtype, r.device.type, r.ids.dtype) == (torch.float32, "cpu", torch.uint8)
    dense = torch.tensor([[1.0, 0, 2, 0, 0], [0, 3, 0, 4, 0], [0, 0, 5, 0, 6]])
    assert torch.equal(r.to_dense(), dense)
    assert torch.equal(r.to_sparse_matrix().to_dense(), dense)
    assert repr(r) == "SparseRows(shape=[3, 5], k=2, dtype=torch.float32, device='cpu')"
    assert r.to(torch.float64).dtype == torch.float64
    assert r.to("cpu").device.type == "cpu"


@pytest.mark.parametrize(
    "num_cols,dtype",
    [(256, torch.uint8), (257, torch.int16), (32768, torch.int16), (32769, torch.int32)],
)
def test_ids_take_the_narrowest_type(num_cols: int, dtype: torch.dtype) -> None:
    ids = torch.tensor([[0, num_cols - 1]])
    r = sg.SparseRows(torch.ones(1, 2), ids, num_cols)
    assert r.ids.dtype == dtype
    assert torch.equal(r.ids.long(), ids)
    assert r.to_dense()[0, -1] == 1


def test_gradients_of_the_conversions() -> None:
    ids = rows().ids

    def function(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        r = sg.SparseRows(values, ids, 5)
        return r.to_dense(), r.to_sparse_matrix().to_dense()

    assert gradcheck(function, (rows(torch.float64).values.requires_grad_(),))


def test_empty() -> None:
    nothing = torch.zeros(0, 3, dtype=torch.int64)
    assert sg.SparseRows(torch.zeros(0, 3), nothing, 7).to_dense().shape == (0, 7)
    r = sg.SparseRows(torch.zeros(4, 0), torch.zeros(4, 0, dtype=torch.uint8), 0)
    assert (r.shape, r.density, r.to_sparse_matrix().nnz) == ((4, 0), 0.0, 0)


def test_bad_arguments() -> None:
    v, i = torch.ones(2, 2), torch.tensor([[0, 1], [1, 2]])
    with pytest.raises(ValueError, match=r"ids must lie in \[0, 2\), got 2"):
        sg.SparseRows(v, i, 2)
    with pytest.raises(ValueError, match=r"ids must lie in \[0, 3\), got -1"):
        sg.SparseRows(v, i - 1, 3)
    with pytest.raises(ValueError, match=r"ascend strictly within a row, got \[2, 1\] in row 1"):
        sg.SparseRows(v, torch.tensor([[0, 1], [2, 1]]), 3)
    with pytest.raises(ValueError, match="ascend strictly"):
        sg.SparseRows(v, torch.tensor([[0, 0], [1, 2]]), 3)
    with pytest.raises(ValueError, match=r"ids must have shape \[2, 2\], got \[2, 1\]"):
        sg.SparseRows(v, i[:, :1], 3)
    with pytest.raises(ValueError, match=r"values must have shape \[N, k\], got \[2\]"):
        sg.SparseRows(v[0], i[0], 3)
    with pytest.raises(TypeError, match="ids must have an integer dtype, got"):
        sg.SparseRows(v, i.float(), 3)
    with pytest.raises(TypeError, match=r"values must be float32, .*got torch.int64"):
        sg.SparseRows(i, i, 3)
    with pytest.raises(ValueError, match=r"num_cols must lie in \[2, 2\^31\), got 1"):
        sg.SparseRows(v, i, 1)
    with pytest.raises(TypeError, match="num_cols must be an int, got float"):
        sg.SparseRows(v, i, 3.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="ids must be on the device of values, cpu, got meta"):
        sg.SparseRows(v, i.to("meta"), 3)
