"""The copied transpose of a dense matrix."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from sparsegnn.ops.transpose import transposed


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1), (31, 33), (64, 32), (200, 700)])
def test_equals_torchs(shape: tuple[int, int], threads: int) -> None:
    torch.set_num_threads(threads)
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
        x = torch.randn(shape).to(dtype)
        for given in (x, torch.randn(shape[::-1]).to(dtype).t(), x[::2]):
            y = transposed(given)
            assert torch.equal(y, given.t()) and y.is_contiguous()


def test_derivatives_and_layout() -> None:
    x = torch.randn(5, 7, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x: transposed(x).square(), x)
    assert gradgradcheck(lambda x: transposed(x).square(), x)
    (transposed(x) * torch.randn(7, 5)).sum().backward()
    assert x.grad is not None and x.grad.is_contiguous()


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"x must have 2 dimensions, got shape \[3\]"):
        transposed(torch.ones(3))
    with pytest.raises(ValueError, match="x must be float32"):
        transposed(torch.ones(3, 3, dtype=torch.int64))


@pytest.mark.slow
def test_opcheck() -> None:
    for grad in (False, True):
        x = torch.randn(5, 7, requires_grad=grad)
        torch.library.opcheck(torch.ops.sparsegnn.transpose.default, (x,))
