"""One correct product by the library given as argument, in whatever torch runs this file."""

import sys

import torch

torch.ops.load_library(sys.argv[1])
ops = torch.ops.sparsegnn

rowptr = torch.tensor([0, 2, 2, 3], dtype=torch.int32)
col = torch.tensor([0, 2, 1], dtype=torch.int32)
x = torch.randn(3, 37)
weight = torch.rand(3)
y = ops.spmm(
    rowptr, col, None, rowptr, col, None, x, weight, None, None, None, None, None, False, True
)
expected = torch.stack([weight[0] * x[0] + weight[1] * x[2], x[0] * 0, weight[2] * x[1]]).relu()
torch.testing.assert_close(y, expected)
(keep,) = ops.topk_mask([torch.tensor([1.0, 3.0, 3.0, 2.0])], 2)
assert keep.tolist() == [False, True, True, False]
try:
    ops.topk_mask([torch.ones(3)], 9)
except (ValueError, RuntimeError) as error:
    assert "k must lie" in str(error)
else:
    raise AssertionError("k out of range was accepted")

is_cuda_build = torch.version.cuda is not None
assert ops.stream_symbol_resolved() == is_cuda_build
print(
    f"torch {torch.__version__}: loads, computes; CUDA build {is_cuda_build}, stream symbol "
    f"{ops.stream_symbol_resolved()}, CUDA kernels {ops.cuda_compiled()}"
)
