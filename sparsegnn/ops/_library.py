"""Loads the native operators."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

LIBRARY = Path(__file__).resolve().parent.parent / "_C.so"

if not LIBRARY.exists():
    raise ImportError(
        f"the native operators are missing at {LIBRARY}: build them with `make install` or "
        "`pip install --no-build-isolation .`"
    )
torch.ops.load_library(LIBRARY)


def acc_dtype(dtype: torch.dtype) -> torch.dtype:
    """Dtype in which a kernel accumulates and takes per-edge values."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def as_acc(values: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """`values` as the kernels take them beside features of `dtype`; differentiable."""
    if values is None:
        return None
    return values.to(acc_dtype(dtype)).contiguous()


def check_devices(reference: Tensor, *tensors: Any) -> None:
    """Fake kernels reject what the real ones would: tensors on other devices than the graph."""
    for tensor in tensors:
        if isinstance(tensor, Tensor) and tensor.device != reference.device:
            raise ValueError(
                f"all tensors must be on the device of the graph, {reference.device}, "
                f"got {tensor.device}."
            )


_Fake = TypeVar("_Fake", bound=Callable[..., Any])


def register_fake(name: str) -> Callable[[_Fake], _Fake]:
    """Registers the shape function of a native operator; a typed `torch.library.register_fake`."""
    return cast(Callable[[_Fake], _Fake], torch.library.register_fake(name))
