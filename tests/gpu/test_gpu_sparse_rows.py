"""Operators on sparse rows on the GPU against the CPU backend."""

import pytest
import torch

import sparsegnn as sg

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
