"""The fused hidden layer of a two-layer GCN over sparse features, for inference."""

from __future__ import annotations

from typing import Any, NoReturn

import torch
from torch import Tensor

from sparsegnn._csr_checks import check_columns, check_rows
from sparsegnn.ops._library import call, check_devices, register_fake
from sparsegnn.ops._typed import typed

PANEL_BYTES = 512


@typed
def pack_panels(weight: Tensor) -> Tensor:
    """Cuts `[K, H]` into zero-padded contiguous panels `[P, K, units]` of 512 bytes a row.

    Raises:
        ValueError: The weight is no matrix.
    """
    if weight.dim() != 2:
        raise ValueError(f"weight must have 2 dimensions, got shape {list(weight.shape)}.")
    units = PANEL_BYTES // weight.element_size()
    panels = max(1, -(-weight.shape[1] // units))
    padded = torch.nn.functional.pad(weight, (0, panels * units - weight.shape[1]))
    return padded.reshape(weight.shape[0], panels, units).transpose(0, 1).contiguous()


@typed
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

    Raises:
        ValueError: A shape, dtype or device does not fit, or an index is out of range; the message
            names the argument.
    """
    if w1.dim() != 3:
        raise ValueError(f"w1 must have 3 dimensions, got shape {list(w1.shape)}.")
    if not torch.compiler.is_compiling():
        for name, rowptr, col, count in (
            ("x", x_rowptr, x_col, w1.shape[1]),
            ("a", a_rowptr, a_col, x_rowptr.numel() - 1),
        ):
            check_rows(rowptr, f"{name}_rowptr")
            check_columns(rowptr, col, count, f"{name}_rowptr", f"{name}_col")
    dense = (x_value, x_row_scale, a_value, w1, bias, w2)
    values, scale, weights, *rest = (None if t is None else t.contiguous() for t in dense)
    operator = torch.ops.sparsegnn.gcn_hidden.default
    return call(operator, x_rowptr, x_col, values, scale, a_rowptr, a_col, weights, *rest)  # type: ignore[no-any-return]


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
    check_devices(x_rowptr, x_col, x_value, x_row_scale, a_rowptr, a_col, a_value, w1, bias, w2)
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
