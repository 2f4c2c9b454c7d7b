"""The native `transpose`: the transpose of a dense matrix, copied on every thread."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sparsegnn.ops._library import call, register_fake


def transposed(x: Tensor) -> Tensor:
    """x^T of `[M, K]` as a contiguous `[K, M]`; its gradient is laid out as x is, if that is so.

    torch copies a transposed view on one thread, and again where a parameter takes its gradient.
    """
    return call(torch.ops.sparsegnn.transpose.default, x)  # type: ignore[no-any-return]


@register_fake("sparsegnn::transpose")
def _fake(x: Tensor) -> Tensor:
    torch._check(x.dim() == 2, lambda: f"x must have 2 dimensions, got shape {list(x.shape)}.")
    return x.new_empty(x.shape[1], x.shape[0])


def _backward(ctx: Any, grad: Tensor) -> Tensor:
    return torch.ops.sparsegnn.transpose.default(grad)  # type: ignore[no-any-return]


torch.library.register_autograd("sparsegnn::transpose", _backward)
