import pytest
import torch

import sparsegnn as sg
from sparsegnn.testing import assert_close, reference_nm_mask, reference_sparse_linear


@pytest.mark.parametrize("n,m", [(2, 4), (1, 4), (0, 4), (4, 4), (3, 8), (1, 1), (5, 12)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_equals_the_reference(n: int, m: int, dtype: torch.dtype) -> None:
    weight = torch.randn(7, 24).to(dtype)
    weight[0] = 0
    weight[1] = 0.5
    weight[2, ::3] = float("nan")
    weight[3, 1::5] = float("inf")
    weight[4] = torch.tensor([1.0, -1.0]).repeat(12)
    keep = sg.ops.nm_mask(weight, n, m)
    assert torch.equal(keep, reference_nm_mask(weight, n, m))
    assert (keep.reshape(7, -1, m).sum(dim=2) == n).all()


def test_runs_as_a_sparse_weight() -> None:
    dense = torch.randn(20, 32)
    keep = sg.ops.nm_mask(dense, 2, 4)
    x = torch.randn(11, 32)
    y = sg.ops.sparse_linear(x, sg.SparseWeight.from_dense(dense, keep))
    assert_close(y, reference_sparse_linear(x, dense * keep))


def test_empty_weights() -> None:
    assert sg.ops.nm_mask(torch.empty(0, 8), 2, 4).shape == (0, 8)
    assert sg.ops.nm_mask(torch.empty(3, 0), 2, 4).shape == (3, 0)


@pytest.mark.parametrize(
    "weight,n,m,message",
    [
        (torch.ones(2, 6), 2, 4, "m must divide 6 input features, got 4"),
        (torch.ones(2, 8), 5, 4, "n must be between 0 and m = 4, got 5"),
        (torch.ones(2, 8), -1, 4, "n must be between 0 and m = 4, got -1"),
        (torch.ones(2, 8), 0, 0, "m must divide 8 input features, got 0"),
        (torch.ones(8), 2, 4, "weight must be a floating matrix"),
        (torch.ones(2, 8, dtype=torch.int64), 2, 4, "weight must be a floating matrix"),
    ],
)
def test_wrong_arguments(weight: torch.Tensor, n: int, m: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sg.ops.nm_mask(weight, n, m)


def test_semi_structured_products_need_a_gpu() -> None:
    with pytest.raises(ValueError, match="weight must be on a CUDA device for 2:4 products, got"):
        sg.ops.semi_structured(torch.ones(8, 8, dtype=torch.float16))
