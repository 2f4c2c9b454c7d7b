"""Shape functions and derivatives of the native operators of a sparse product with a CSR result."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sparsegnn.ops._library import check_devices, register_fake

_Grads = tuple[Tensor | None, ...]
_NOTHING = (None, None, None)


@register_fake("sparsegnn::spgemm_sizes")
def _sizes_fake(
    a_rowptr: Tensor, a_col: Tensor, b_rowptr: Tensor, b_col: Tensor, num_cols: int
) -> Tensor:
    check_devices(a_rowptr, a_col, b_rowptr, b_col)
    return a_rowptr.new_empty(a_rowptr.shape[0] - 1, dtype=torch.int64)


@register_fake("sparsegnn::spgemm_columns")
def _columns_fake(
    a_rowptr: Tensor,
    a_col: Tensor,
    b_rowptr: Tensor,
    b_col: Tensor,
    rowptr: Tensor,
    col: Tensor,
    num_cols: int,
) -> None:
    check_devices(a_rowptr, a_col, b_rowptr, b_col, rowptr, col)


@register_fake("sparsegnn::spgemm_values")
def _values_fake(
    a_rowptr: Tensor,
    a_col: Tensor,
    a_values: Tensor,
    b_rowptr: Tensor,
    b_col: Tensor,
    b_values: Tensor,
    c_rowptr: Tensor,
    c_col: Tensor,
    num_cols: int,
) -> Tensor:
    check_devices(a_rowptr, a_col, a_values, b_rowptr, b_col, b_values, c_rowptr, c_col)
    return b_values.new_empty(c_col.shape[0])


@register_fake("sparsegnn::spgemm_grad")
def _grad_fake(
    a_rowptr: Tensor,
    a_col: Tensor,
    a_values: Tensor,
    b_rowptr: Tensor,
    b_col: Tensor,
    b_values: Tensor,
    c_rowptr: Tensor,
    c_col: Tensor,
    t_rowptr: Tensor | None,
    t_col: Tensor | None,
    t_edge_id: Tensor | None,
    g: Tensor,
    num_cols: int,
    need_a: bool,
    need_b: bool,
) -> tuple[Tensor, Tensor]:
    check_devices(a_rowptr, a_col, a_values, b_rowptr, b_col, b_values, c_rowptr, c_col, g)
    check_devices(a_rowptr, t_rowptr, t_col, t_edge_id)
    a_size = a_values.shape[0] if need_a else 0
    return a_values.new_empty(a_size), b_values.new_empty(b_values.shape[0] if need_b else 0)


def _grad(
    matrices: tuple[Tensor, ...], g: Tensor, num_cols: int, need_a: bool, need_b: bool
) -> tuple[Tensor, Tensor]:
    """Gradients of the values of a and of b, both or one of them."""
    transpose = (
        _transpose_of(matrices[0], matrices[1], matrices[3]) if need_b and g.is_cuda else _NOTHING
    )
    return torch.ops.sparsegnn.spgemm_grad.default(  # type: ignore[no-any-return]
        *matrices, *transpose, g.contiguous(), num_cols, need_a, need_b
    )


def _transpose_of(rowptr: Tensor, col: Tensor, b_rowptr: Tensor) -> tuple[Tensor | None, ...]:
    """Row pointer, columns and positions of the transpose of a, which the GPU kernel needs."""
    from sparsegnn.graph import CsrTensors
    from sparsegnn.ops.spmm_rows_derivative import _with_transpose

    csr = CsrTensors(rowptr, col, None, None, None, None)  # type: ignore[arg-type]
    return _with_transpose(csr, (b_rowptr, b_rowptr, b_rowptr))[3:]


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *matrices, ctx.num_cols = inputs
    ctx.save_for_backward(*matrices)


def _backward(ctx: Any, grad: Tensor) -> _Grads:
    need_a, need_b = ctx.needs_input_grad[2], ctx.needs_input_grad[5]
    da, db = _grad(ctx.saved_tensors, grad, ctx.num_cols, need_a, need_b)
    return (None, None, da if need_a else None, None, None, db if need_b else None, *_NOTHING)


def _grad_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.num_cols, ctx.need_a, ctx.need_b = inputs[12:]
    ctx.save_for_backward(*inputs[:8], inputs[11])


def _grad_backward(ctx: Any, grad_a: Tensor, grad_b: Tensor) -> _Grads:
    """The gradients are linear in g; that of a is linear in b, and that of b in a."""
    *matrices, g = ctx.saved_tensors
    needs = ctx.needs_input_grad
    grads: list[Tensor | None] = [None] * 15
    instead_of_a = (*matrices[:2], grad_a.contiguous(), *matrices[3:])
    instead_of_b = (*matrices[:5], grad_b.contiguous(), *matrices[6:])
    product = torch.ops.sparsegnn.spgemm_values.default
    if needs[11]:
        parts = []
        if ctx.need_a:
            parts.append(product(*instead_of_a, ctx.num_cols))
        if ctx.need_b:
            parts.append(product(*instead_of_b, ctx.num_cols))
        grads[11] = sum(parts) if parts else None
    if needs[2] and ctx.need_b:
        grads[2] = _grad(instead_of_b, g, ctx.num_cols, True, False)[0]
    if needs[5] and ctx.need_a:
        grads[5] = _grad(instead_of_a, g, ctx.num_cols, False, True)[1]
    return tuple(grads)


torch.library.register_autograd("sparsegnn::spgemm_values", _backward, setup_context=_setup_context)
torch.library.register_autograd(
    "sparsegnn::spgemm_grad", _grad_backward, setup_context=_grad_context
)
