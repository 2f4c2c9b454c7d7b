"""Dropout by counter: the elements that drop are a function of a seed, and are never stored."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sparsegnn.ops._library import call, check_devices, register_fake
from sparsegnn.ops._typed import typed

Seed = int | Tensor | None


@typed
def dropout(x: Tensor, p: float, seed: Seed = None) -> Tensor:
    """Zeroes each element with probability p and scales the others so that the mean is kept.

    Element k in row-major order drops by sixteen bits of Philox4x32-10 under counter k // 8
    (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011).

    Args:
        x: Any shape; float32, float64, float16 or bfloat16.
        p: Probability in [0, 1], rounded to a multiple of 2^-16, to which the scale belongs.
        seed: An integer or an int64 tensor of shape `[1]` on the device of x; by default a draw
            from torch's generator.

    Returns:
        A contiguous tensor like x; a dropped element is 0, whatever it was.

    Raises:
        ValueError: p lies outside of [0, 1], or a dtype or device does not fit.

    The same elements drop on every device and for every number of threads. Differentiable, any
    number of times; the derivative draws the bits again.
    """
    return call(torch.ops.sparsegnn.dropout.default, x, p, seed_tensor(seed, x.device))  # type: ignore[no-any-return]


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
def _fake(x: Tensor, p: float, seed: Tensor) -> Tensor:
    check_devices(x, seed)
    return x.new_empty(x.shape)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, ctx.p, seed = inputs
    ctx.save_for_backward(seed)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
    (seed,) = ctx.saved_tensors
    return torch.ops.sparsegnn.dropout.default(grad, ctx.p, seed), None, None


torch.library.register_autograd("sparsegnn::dropout", _backward, setup_context=_setup_context)
