"""Softmax aggregation: every channel of a target is a weighted mean of its sources' messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch import Tensor

from sparsegnn.ops._edge_values import EdgeMask, split_bits
from sparsegnn.ops._library import (
    acc_dtype,
    as_acc,
    call,
    check_devices,
    check_floating,
    register_fake,
)
from sparsegnn.ops._typed import typed
from sparsegnn.ops._vmap import needs_grad

if TYPE_CHECKING:
    from sparsegnn.graph import Graph


@typed
def softmax_aggregate(
    g: Graph,
    x: Tensor,
    t: Tensor | float = 1.0,
    edge_mask: EdgeMask = None,
    *,
    eps: float | None = None,
) -> Tensor:
    """Softmax aggregation over the kept edges (Li et al., arXiv 2006.07739, definition 3).

    `y[i, c] = sum_e p[e, c] * m[j, c]` over the kept edges e = (j -> i), where p is the softmax
    over them of `t[c] * m[j, c]`, for every channel apart. The message m is `relu(x) + eps`, as in
    `GENConv`, or x itself without eps. Nothing of size E x F exists: a row's exponents are taken
    relative to their largest in one pass, and the derivative computes them again from one number
    per target and channel.

    Args:
        g: Graph with M targets, K sources and E edges.
        x: `[K, F]`, float32, float64, float16 or bfloat16; sums are taken in float32 (float64 for
            float64).
        t: Inverse temperature: a number, or a tensor of one or F elements, any floating dtype.
        edge_mask: `[E]`, bool or `Mask`: dropped edges are absent.
        eps: What is added to `relu(x)`; None for messages x.

    Returns:
        `[M, F]` of the dtype of x. A target without kept edges gets zero; a channel with NaN or an
        infinite message gets NaN.

    Raises:
        ValueError: A shape, dtype or device does not fit; the message names the argument.
        TypeError: edge_mask is a floating mask.

    Deterministic, whatever the number of threads. Differentiable once, in x and t: a second
    derivative raises a RuntimeError. `torch.autocast` leaves x as it is: softmax is not taken in 16
    bits.
    """
    outputs = call(
        torch.ops.sparsegnn.softmax_aggregate.default,
        *g.csr,
        x,
        _per_channel(t, x),
        split_bits(edge_mask, g.num_edges),
        eps is not None,
        0.0 if eps is None else eps,
        needs_grad(x, t if isinstance(t, Tensor) else None),
    )
    return outputs[0]  # type: ignore[no-any-return]


def _per_channel(t: Tensor | float, x: Tensor) -> Tensor:
    """Factors as the kernels take them: `[F]` in the dtype of the sums."""
    if x.dim() != 2:
        raise ValueError(f"x must have 2 dimensions, got shape {list(x.shape)}.")
    width = x.shape[1]
    if not isinstance(t, Tensor):
        if not isinstance(t, (int, float)):
            raise TypeError(f"t must be a number or a tensor, got {type(t).__name__}.")
        return x.new_full((width,), t, dtype=acc_dtype(x.dtype))
    if t.shape not in ((), (1,), (width,)):
        raise ValueError(
            f"t must be a number or have one or {width} elements, got {list(t.shape)}."
        )
    check_floating(t, "t")
    values = as_acc(t, x.dtype)
    assert values is not None
    return values.reshape(-1).expand(width).contiguous()


@register_fake("sparsegnn::softmax_aggregate")
def _fake(
    rowptr: Tensor,
    col: Tensor,
    edge_id: Tensor | None,
    t_rowptr: Tensor,
    t_col: Tensor,
    t_edge_id: Tensor | None,
    x: Tensor,
    t: Tensor,
    bits: Tensor | None,
    relu: bool,
    eps: float,
    with_log_sum: bool,
) -> tuple[Tensor, Tensor]:
    check_devices(rowptr, x, t, bits)
    torch._check(x.dim() == 2, lambda: f"x must have 2 dimensions, got shape {list(x.shape)}.")
    targets, width = rowptr.shape[0] - 1, x.shape[1]
    log_sum = x.new_empty(targets if with_log_sum else 0, width, dtype=acc_dtype(x.dtype))
    return x.new_empty(targets, width), log_sum


def _context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    *tensors, ctx.relu, ctx.eps, _ = inputs
    ctx.mark_non_differentiable(output[1])
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(*tensors, *output)


def _backward(ctx: Any, grad: Tensor | None, *_: Any) -> tuple[Tensor | None, ...]:
    if grad is None:
        return (None,) * 12
    saved = ctx.saved_tensors
    with_dt = ctx.needs_input_grad[7]
    dx, dt = torch.ops.sparsegnn.softmax_aggregate_grad.default(
        *saved[:6], grad, *saved[6:], ctx.relu, ctx.eps, with_dt
    )
    return (None,) * 6 + (dx, dt if with_dt else None) + (None,) * 4


torch.library.register_autograd("sparsegnn::softmax_aggregate", _backward, setup_context=_context)


@register_fake("sparsegnn::softmax_aggregate_grad")
def _grad_fake(
    rowptr: Tensor,
    col: Tensor,
    edge_id: Tensor | None,
    t_rowptr: Tensor,
    t_col: Tensor,
    t_edge_id: Tensor | None,
    grad: Tensor,
    x: Tensor,
    t: Tensor,
    bits: Tensor | None,
    y: Tensor,
    log_sum: Tensor,
    relu: bool,
    eps: float,
    with_dt: bool,
) -> tuple[Tensor, Tensor]:
    check_devices(rowptr, grad, x, t, bits, y, log_sum)
    return x.new_empty(x.shape), t.new_empty(t.shape[0] if with_dt else 0)


def _no_second_derivative(ctx: Any, *grads: Any) -> NoReturn:
    raise RuntimeError(
        "softmax_aggregate has no second derivative: compose edge_softmax of the messages of every "
        "edge, heads for channels, and a sum by target."
    )


torch.library.register_autograd("sparsegnn::softmax_aggregate_grad", _no_second_derivative)
