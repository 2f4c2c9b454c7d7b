"""Loads the native operators."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from sparsegnn.ops import _vmap

LIBRARY = Path(__file__).resolve().parent.parent / "_C.so"

if not LIBRARY.exists():
    raise ImportError(
        f"the native operators are missing at {LIBRARY}: build them with `make install` or "
        "`pip install --no-build-isolation .`"
    )
torch.ops.load_library(LIBRARY)
_vmap.register()


# How the bindings word a bad argument.
_BAD_ARGUMENT = re.compile(r"\w+ must [^\n]* got [^\n]*\.")
# torch's derivatives of operators that Python did not define know autograd, not its transforms.
_NO_TRANSFORM = (
    "the operators of sparsegnn have no torch.func.grad, vjp or jacrev: use torch.autograd.grad, "
    "which differentiates through torch.vmap and takes is_grads_batched."
)


def call(operator: Any, *arguments: Any) -> Any:
    """Calls a native operator; a bad argument is a ValueError under every release of torch.

    The stable ABI hands the binding's exception through as it is before torch 2.15 and as a
    RuntimeError from then on.
    """
    if torch.compiler.is_compiling():
        return operator(*arguments)
    try:
        return operator(*arguments)
    except RuntimeError as error:
        if _BAD_ARGUMENT.fullmatch(str(error)):
            raise ValueError(str(error)) from None
        if "must override the setup_context staticmethod" in str(error):
            raise RuntimeError(_NO_TRANSFORM) from None
        raise


def acc_dtype(dtype: torch.dtype) -> torch.dtype:
    """Dtype in which a kernel accumulates and takes per-edge values."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def as_acc(values: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """`values` as the kernels take them beside features of `dtype`; differentiable."""
    if values is None:
        return None
    if not values.is_floating_point() or values.element_size() == 1:
        raise TypeError(
            f"values must be of a floating type of at least 16 bits, got {values.dtype}."
        )
    target = acc_dtype(dtype)  # a cast to the same dtype costs as much as a small operator
    return (values if values.dtype == target else values.to(target)).contiguous()


def check_floating(tensor: Tensor, name: str) -> None:
    """Rejects what `as_acc` would silently turn into floating point."""
    if not tensor.is_floating_point():
        raise TypeError(f"{name} must be floating point, got {tensor.dtype}.")


def check_devices(reference: Tensor, *tensors: Any) -> None:
    """Fake kernels reject what the real ones would: tensors on other devices than the graph."""
    for tensor in tensors:
        if isinstance(tensor, Tensor) and tensor.device != reference.device:
            raise ValueError(
                f"all tensors must be on the device of the graph, {reference.device}, "
                f"got {tensor.device}."
            )


def free_saved(ctx: Any) -> None:
    """Within a backward: lets go of what the forward saved, unless the graph is kept for another.

    The engine would do so when the backward returns, after it has allocated its results.
    """
    ctx.maybe_clear_saved_tensors()


_Fake = TypeVar("_Fake", bound=Callable[..., Any])


def register_fake(name: str) -> Callable[[_Fake], _Fake]:
    """Registers the shape function of a native operator; a typed `torch.library.register_fake`."""
    return cast(Callable[[_Fake], _Fake], torch.library.register_fake(name))
