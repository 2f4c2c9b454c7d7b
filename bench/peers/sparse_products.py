"""Products of sparse rows with sparse weights by other means."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

import sparsegnn as sg


def scipy_rows(rows: sg.SparseRows) -> sp.csr_matrix:
    """The rows as a scipy CSR matrix with int32 indices."""
    values = rows.values.detach().numpy().reshape(-1)
    ids = rows.ids.numpy().reshape(-1).astype(np.int32)
    pointers = np.arange(rows.shape[0] + 1, dtype=np.int32) * rows.k
    return sp.csr_matrix((values, ids, pointers), shape=rows.shape)


def scipy_csr_csr(rows: sg.SparseRows, weight: Tensor) -> Callable[[], tuple[Tensor, ...]]:
    """CSR times CSR in scipy: row pointers, columns as they come, values; always one thread."""
    left, right = scipy_rows(rows), sp.csr_matrix(weight.numpy())

    def run() -> tuple[Tensor, ...]:
        product = left @ right
        return tuple(map(torch.from_numpy, (product.indptr, product.indices, product.data)))

    return run


def at_places(dense: Tensor, csr: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """`csr` (row pointers, columns, values) with the values of `dense` instead."""
    rowptr, col, _ = csr
    row = torch.repeat_interleave(rowptr.diff().long())
    return rowptr, col, dense[row, col.long()]


def scipy_csr_dense(rows: sg.SparseRows, weight: Tensor) -> Callable[[], Tensor]:
    """CSR times the dense weight in scipy: one thread, whatever the setting."""
    left, right = scipy_rows(rows), weight.numpy()
    return lambda: torch.from_numpy(left @ right)


def dense_gradients(
    x: Tensor, weight: Tensor, k: int, upstream: Tensor
) -> Callable[[], tuple[Tensor, ...]]:
    """Dense torch: top-k, scatter, product, and the gradient at the kept weights."""
    x, w = x.clone().requires_grad_(), weight.clone().requires_grad_()

    def run() -> tuple[Tensor, ...]:
        values, ids = torch.topk(x, k, dim=1, sorted=False)
        y = torch.zeros_like(x).scatter(1, ids, values) @ w
        dx, dw = torch.autograd.grad(y, (x, w), upstream)
        return y.detach(), dx, dw[w != 0]

    return run
