"""The native `spmm_grad`, which spmm's derivative calls: its shape function and its derivative.

With c_e = weight[e] * mask[e], and the scales r of the targets and s of the sources,

    dx[j]   = s[j] * sum_e c_e * r[i] * grad[i]
    dots[e] = s[j] * r[i] * dot(grad[i], x[j])

over the kept edges e = (j -> i), from one gather of `grad`. The gradient of the weight is
`dots * mask`, that of the mask `dots * weight`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sparsegnn.ops._library import acc_dtype, check_devices, register_fake

_NUM_INPUTS = 13


@register_fake("sparsegnn::spmm_grad")
def _spmm_grad_fake(
    rowptr: Tensor,
    col: Tensor,
    edge_id: Tensor | None,
    t_rowptr: Tensor,
    t_col: Tensor,
    t_edge_id: Tensor | None,
    grad: Tensor,
    x: Tensor,
    *rest: Any,
) -> tuple[Tensor, Tensor]:
    check_devices(rowptr, col, edge_id, t_rowptr, t_col, t_edge_id, grad, x, *rest)
    for name, tensor in (("grad", grad), ("x", x)):
        torch._check(
            tensor.dim() == 2,
            lambda name=name, tensor=tensor: (
                f"{name} must have 2 dimensions, got shape {list(tensor.shape)}."
            ),
        )
    dx = x.new_empty(t_rowptr.shape[0] - 1, x.shape[1])
    return dx, x.new_empty(col.shape[0], dtype=acc_dtype(x.dtype))


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    if ctx.needs_input_grad[11] or ctx.needs_input_grad[12]:
        raise RuntimeError("row_scale and col_scale of the raw operator take no gradient.")
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, grad_dx: Tensor, grad_dots: Tensor) -> tuple[Tensor | None, ...]:
    from sparsegnn.graph import CsrTensors

    *indices, grad, x, weight, mask, bits, row_scale, col_scale = ctx.saved_tensors
    csr = CsrTensors(*indices)
    grad_dots = grad_dots.contiguous()
    ops, plain = torch.ops.sparsegnn, (None, False, False)
    grads: list[Tensor | None] = [None] * _NUM_INPUTS
    needs = ctx.needs_input_grad
    if needs[6]:
        through_dx = ops.spmm.default(
            *csr, grad_dx, weight, mask, bits, row_scale, col_scale, *plain
        )
        through_dots = ops.spmm.default(
            *csr, x, grad_dots, None, bits, row_scale, col_scale, *plain
        )
        grads[6] = through_dx + through_dots
    if needs[7]:
        grads[7] = ops.spmm.default(
            *csr.transposed(), grad, grad_dots, None, bits, col_scale, row_scale, *plain
        )
    for position, factor in ((8, mask), (9, weight)):
        if needs[position]:
            grads[position] = ops.sddmm.default(
                *csr, grad, grad_dx, factor, bits, row_scale, col_scale
            )
    return tuple(grads)


torch.library.register_autograd("sparsegnn::spmm_grad", _backward, setup_context=_setup_context)
