"""The fused hidden layer of a two-layer GCN over sparse features, for inference."""

from __future__ import annotations

from typing import Any, NoReturn

import torch
from torch import Tensor

from sparsegnn.ops._library import call, register_fake

PANEL_BYTES = 512


def pack_panels(weight: Tensor) -> Tensor:
    """Cuts `[K, H]` into zero-padded contiguous panels `[P, K, units]` of 512 bytes a row."""
    units = PANEL_BYTES // weight.element_size()
    panels = max(1, -(-weight.shape[1] // units))
    padded = torch.nn.functional.pad(weight, (0, panels * units - weight.shape[1]))
    return padded.reshape(weight.shape[0], panels, units).transpose(0, 1).contiguous()


def gcn_hidden(
    x_rowptr: Tensor,
    x_col: Tensor,
    x_value: Tensor | None,
    x_row_scale: Tensor | None,
    a_rowptr: Tensor,
    a_col: Tensor,
    a_value: Tensor | None,
    w1: Tensor,
    bias: Tensor | None,
    w2: Tensor,
) -> Tensor:
    """`relu(A (X W1) + bias) W2^T` without storing the hidden layer.

    Args:
        x_rowptr: Features as CSR `[M, K]`: row pointer, then columns.
        x_col: `[nnz]`.
        x_value: `[nnz]`, or None for ones.
        x_row_scale: `[M]` factor of each row of X, or None.
        a_rowptr: Normalised graph as CSR `[N, M]`: row pointer, then columns.
        a_col: `[nnz]`.
        a_value: `[nnz]`, or None for ones.
        w1: `[P, K, units]` panels of the first weight (`pack_panels`).
        bias: `[P * units]`, or None.
        w2: `[O, P * units]`.

    Returns:
        `[N, O]`. Deterministic, whatever the number of threads. Not differentiable.
    """
    arguments = (x_rowptr, x_col, x_value, x_row_scale, a_rowptr, a_col, a_value, w1, bias, w2)
    return call(torch.ops.sparsegnn.gcn_hidden.default, *arguments)  # type: ignore[no-any-return]


@register_fake("sparsegnn::gcn_hidden")
def _fake(
    x_rowptr: Tensor,
    x_col: Tensor,
    x_value: Tensor | None,
    x_row_scale: Tensor | None,
    a_rowptr: Tensor,
    a_col: Tensor,
    a_value: Tensor | None,
    w1: Tensor,
    bias: Tensor | None,
    w2: Tensor,
) -> Tensor:
    return w1.new_empty(a_rowptr.shape[0] - 1, w2.shape[0])


def _backward(ctx: Any, grad: Tensor) -> NoReturn:
    raise RuntimeError(
        "gcn_hidden is for inference and has no gradient: train with the model's own layers."
    )


torch.library.register_autograd("sparsegnn::gcn_hidden", _backward)


def composite(
    x_rowptr: Tensor,
    x_col: Tensor,
    x_value: Tensor | None,
    x_row_scale: Tensor | None,
    a_rowptr: Tensor,
    a_col: Tensor,
    a_value: Tensor | None,
    w1: Tensor,
    bias: Tensor | None,
    w2: Tensor,
) -> Tensor:
    """The same value from three operators, as a GPU computes it."""
    spmm = torch.ops.sparsegnn.spmm.default
    wide = w1.transpose(0, 1).reshape(w1.shape[1], -1)
    k_rows = w1.new_empty(w1.shape[1] + 1, dtype=x_rowptr.dtype)
    hidden = spmm(
        *(x_rowptr, x_col, None, k_rows, x_col, None, wide, x_value),
        *(None, None, x_row_scale, None, None, False, False),
    )
    aggregated = spmm(
        *(a_rowptr, a_col, None, x_rowptr, a_col, None, hidden, a_value),
        *(None, None, None, None, bias, False, True),
    )
    return torch.nn.functional.linear(aggregated, w2)


torch.library.impl("sparsegnn::gcn_hidden", "CUDA", composite)
