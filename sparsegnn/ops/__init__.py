"""Functional operators: the public face of the native kernels."""

from sparsegnn.ops.linear import sparse_linear
from sparsegnn.ops.sddmm import sddmm
from sparsegnn.ops.spmm import spmm
from sparsegnn.ops.topk import topk_mask

__all__ = ["sddmm", "sparse_linear", "spmm", "topk_mask"]
