"""Stochastic gates that are exactly 0 or 1 with positive probability: edge masks one can learn."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from sparsegnn.ops._library import as_acc, call, check_devices, register_fake
from sparsegnn.ops._typed import typed
from sparsegnn.ops.dropout import Seed, seed_tensor


@typed
def hard_concrete(
    logits: Tensor,
    *,
    beta: float = 2 / 3,
    gamma: float = -0.1,
    zeta: float = 1.1,
    training: bool = True,
    seed: Seed = None,
) -> Tensor:
    """Hard concrete gates, to be used as a floating `edge_mask` of `spmm`, or of any mask.

    In training `z = clamp(sigmoid((logit(u) + logits) / beta) * (zeta - gamma) + gamma, 0, 1)` with
    u uniform in (0, 1); otherwise `z = clamp(sigmoid(logits) * (zeta - gamma) + gamma, 0, 1)`.
    An operator of its own beside `spmm`: most of its time goes into the noise, which a gather that
    drew it itself would draw again for every gradient; the gates move 8 bytes an edge, a row of
    features 4 F. A gate of 0 scales its edge to zero; drop closed edges for good with
    `edge_mask=hard_concrete(logits, training=False) > 0`.

    Args:
        logits: `[E]`, floating point of at least 16 bits.
        beta: Temperature, positive.
        gamma: Lower end of the stretched interval, at most 0.
        zeta: Upper end, at least 1.
        training: Whether to draw.
        seed: An integer or an int64 tensor of shape `[1]` on the device of logits that fixes u, by
            default a draw from torch's generator. Element k takes a word of Philox4x32-10 under
            counter k // 4.

    Returns:
        `[E]` gates in [0, 1], float32 (float64 for float64), as `spmm` takes edge values.

    Raises:
        ValueError: A shape, dtype, device or parameter does not fit; the message names it.

    The same u on every device and for every number of threads. Differentiable twice; the derivative
    draws u again instead of storing it, and is zero where the gate is 0 or 1.

    Source: Louizos, Welling, Kingma, "Learning Sparse Neural Networks through L0 Regularization",
    ICLR 2018, arXiv 1712.01312, equations 10 to 13.
    """
    noise = seed_tensor(seed, logits.device) if training else None
    operator = torch.ops.sparsegnn.hard_concrete.default
    return call(operator, as_acc(logits, logits.dtype), noise, beta, gamma, zeta)  # type: ignore[no-any-return]


@typed
def hard_concrete_open(
    logits: Tensor, *, beta: float = 2 / 3, gamma: float = -0.1, zeta: float = 1.1
) -> Tensor:
    """Probability that a gate is not zero; the sum over all gates is the L0 penalty.

    Args:
        logits: Any shape, floating point.
        beta: Temperature of `hard_concrete`.
        gamma: Its lower end, negative.
        zeta: Its upper end.

    Returns:
        `sigmoid(logits - beta * log(-gamma / zeta))`, float32 (float64 for float64).

    Raises:
        ValueError: beta or zeta is not positive or gamma is not negative.

    Source: equation 12 of arXiv 1712.01312.
    """
    if not (0 < beta < math.inf and 0 < zeta < math.inf):
        raise ValueError(f"beta and zeta must be positive and finite, got {beta} and {zeta}.")
    if not -math.inf < gamma < 0:
        raise ValueError(f"gamma must be negative and finite, got {gamma}.")
    values = as_acc(logits, logits.dtype)
    assert values is not None
    return torch.sigmoid(values - beta * math.log(-gamma / zeta))


@register_fake("sparsegnn::hard_concrete")
def _fake(logits: Tensor, seed: Tensor | None, beta: float, gamma: float, zeta: float) -> Tensor:
    check_devices(logits, seed)
    return logits.new_empty(logits.shape)


@register_fake("sparsegnn::hard_concrete_grad")
def _grad_fake(grad: Tensor, logits: Tensor, seed: Tensor | None, *rest: float) -> Tensor:
    check_devices(logits, grad, seed)
    return logits.new_empty(logits.shape)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    logits, seed, *ctx.shape = inputs
    ctx.save_for_backward(logits, seed)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    logits, seed = ctx.saved_tensors
    slope = torch.ops.sparsegnn.hard_concrete_grad.default(grad, logits, seed, *ctx.shape)
    return slope, None, None, None, None


def _grad_setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    grad, logits, seed, *ctx.shape = inputs
    ctx.save_for_backward(grad, logits, seed)


def _grad_backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
    """Where a gate is open, z gives s, and the slope of s (1 - s) is s (1 - s) (1 - 2 s) / beta."""
    grad, logits, seed = ctx.saved_tensors
    ops = torch.ops.sparsegnn
    beta, gamma, zeta = ctx.shape
    d_grad = ops.hard_concrete_grad.default(upstream, logits, seed, *ctx.shape)
    s = (ops.hard_concrete.default(logits, seed, *ctx.shape) - gamma) / (zeta - gamma)
    d_logits = d_grad * grad * (1 - 2 * s) / (1.0 if seed is None else beta)
    return d_grad, d_logits, None, None, None, None


torch.library.register_autograd("sparsegnn::hard_concrete", _backward, setup_context=_setup_context)
torch.library.register_autograd(
    "sparsegnn::hard_concrete_grad", _grad_backward, setup_context=_grad_setup_context
)
