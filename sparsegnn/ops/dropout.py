"""Dropout by counter: the elements that drop are a function of a seed, and are never stored."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sparsegnn.ops._library import acc_dtype, as_acc, call, check_devices, register_fake
from sparsegnn.ops._typed import typed

Seed = int | Tensor | None


@typed
def dropout(
    x: Tensor,
    p: float,
    seed: Seed = None,
    *,
    bias: Tensor | None = None,
    relu: bool = False,
) -> Tensor:
    """Zeroes each element with probability p and scales the others so that the mean is kept.

    With a bias and ReLU it is what follows a linear map, `dropout(relu(x + bias))`, in one pass.

    Element k in row-major order drops by sixteen bits of Philox4x32-10 under counter k // 8
    (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011).

    Args:
        x: Any shape `[..., F]`; float32, float64, float16 or bfloat16.
        p: Probability in [0, 1], rounded to a multiple of 2^-16, to which the scale belongs.
        seed: An integer or an int64 tensor of shape `[1]` on the device of x; by default a draw
            from torch's generator, unless p is 0.
        bias: `[F]`, added first.
        relu: Whether to clamp at zero before elements drop.

    Returns:
        A contiguous tensor like x; a dropped element is 0, whatever it was.

    Raises:
        ValueError: p lies outside of [0, 1], or a shape, dtype or device does not fit.

    The same elements drop on every device and for every number of threads. Differentiable, any
    number of times, in x and bias; the derivative draws the bits again, or with ReLU reads from the
    result which elements passed.
    """
    drawn = None if p == 0 and seed is None else seed_tensor(seed, x.device)
    return call(  # type: ignore[no-any-return]
        torch.ops.sparsegnn.dropout.default, x, p, drawn, as_acc(bias, x.dtype), relu
    )


def seed_tensor(seed: Seed, device: torch.device) -> Tensor:
    """`seed` as operators take it: where they run, so that a captured CUDA graph can change it."""
    if seed is None:
        return torch.randint(2**63 - 1, (1,), device=device)
    if isinstance(seed, Tensor):
        return seed
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise TypeError(f"seed must be an int or a tensor, got {type(seed).__name__}.")
    if not -(2**63) <= seed < 2**63:
        raise ValueError(f"seed must fit in 64 bits, got {seed}.")
    return torch.full((1,), seed, dtype=torch.int64, device=device)


@register_fake("sparsegnn::dropout")
def _fake(
    x: Tensor, p: float, seed: Tensor | None, bias: Tensor | None = None, relu: bool = False
) -> Tensor:
    check_devices(x, seed, bias)
    return x.new_empty(x.shape)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, ctx.p, seed = inputs[:3]
    ctx.relu = len(inputs) > 4 and inputs[4]
    ctx.save_for_backward(output if ctx.relu else seed)
    ctx.dtype = x.dtype


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    (saved,) = ctx.saved_tensors
    ops = torch.ops.sparsegnn
    if ctx.relu:
        grad = ops.dropout_grad.default(grad, saved, ctx.p)
    elif ctx.p != 0.0:
        grad = ops.dropout.default(grad, ctx.p, saved)
    needs = ctx.needs_input_grad  # as long as the arguments given
    sums = None
    if any(needs[3:4]):
        sums = grad.reshape(-1, grad.shape[-1]).sum(0, dtype=acc_dtype(ctx.dtype))
    return (grad if needs[0] else None, None, None, sums, None)


torch.library.register_autograd("sparsegnn::dropout", _backward, setup_context=_setup_context)


@register_fake("sparsegnn::dropout_grad")
def _grad_fake(grad: Tensor, y: Tensor, p: float) -> Tensor:
    check_devices(grad, y)
    return grad.new_empty(grad.shape)


def _grad_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, y, ctx.p = inputs
    ctx.save_for_backward(y)


def _grad_backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
    (y,) = ctx.saved_tensors
    return torch.ops.sparsegnn.dropout_grad.default(grad, y, ctx.p), None, None


torch.library.register_autograd(
    "sparsegnn::dropout_grad", _grad_backward, setup_context=_grad_context
)
