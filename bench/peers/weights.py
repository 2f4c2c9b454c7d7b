"""x @ W.T with a sparse W [out, in] by other means."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def dense(x: Tensor, weight: Tensor) -> Callable[[], Tensor]:
    """Dense product that multiplies the zeros."""
    return lambda: torch.nn.functional.linear(x, weight)


def csr_left(x: Tensor, weight: Tensor) -> Callable[[], Tensor]:
    """CSR(W) @ x.T, transposed back as a view."""
    matrix = weight.to_sparse_csr()
    return lambda: (matrix @ x.t()).t()


def csr_left_int32(x: Tensor, weight: Tensor) -> Callable[[], Tensor]:
    """CSR(W) with int32 indices @ x.T, transposed back as a view."""
    csr = weight.to_sparse_csr()
    indices = csr.crow_indices().int(), csr.col_indices().int()
    matrix = torch.sparse_csr_tensor(*indices, csr.values(), csr.shape, check_invariants=False)
    return lambda: (matrix @ x.t()).t()


def csr_right(x: Tensor, weight: Tensor) -> Callable[[], Tensor]:
    """Dense x times CSR(W.T)."""
    matrix = weight.t().contiguous().to_sparse_csr()
    return lambda: x @ matrix


def bsr_left(x: Tensor, weight: Tensor, block: int) -> Callable[[], Tensor]:
    """Block-sparse W @ x.T, transposed back as a view."""
    matrix = weight.to_sparse_bsr((block, block))
    return lambda: (matrix @ x.t()).t()


def csr_linear(x: Tensor, weight: Tensor) -> Callable[[], Tensor]:
    """`torch.nn.functional.linear` on a CSR weight."""
    matrix = weight.to_sparse_csr()
    return lambda: torch.nn.functional.linear(x, matrix)
