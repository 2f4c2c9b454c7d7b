"""Which calls that have no rule give every row of their result from the same rows alone."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

_ELEMENTWISE = (
    "abs add celu clamp div exp expm1 hardsigmoid hardswish hardtanh log log1p logsigmoid maximum "
    "minimum mish mul neg pow relu6 rsqrt selu softsign sqrt square sub truediv true_divide"
).split()
_OVER_ONE_DIM = ("log_softmax", "softmax", "normalize")
_OWNERS = (torch, Tensor, functional, operator)

_MODULES = (
    nn.CELU, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh, nn.LogSigmoid, nn.Mish, nn.PReLU, nn.ReLU6,
    nn.SELU, nn.Softsign,
)  # fmt: skip


def _named(names: tuple[str, ...] | list[str]) -> set[Any]:
    """The functions of these names, as torch, its tensors and `operator` have them."""
    return {getattr(owner, name) for owner in _OWNERS for name in names if hasattr(owner, name)}


_ELEMENTWISE_FUNCTIONS = _named(_ELEMENTWISE)
_OVER_ONE_DIM_FUNCTIONS = _named(_OVER_ONE_DIM)


def function_by_row(function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> bool:
    """Whether `function(*args, **kwargs)` of values `[N, C]` treats every row by itself."""
    if _holds_rows((args, kwargs)):
        return False
    if function in _ELEMENTWISE_FUNCTIONS:
        return True
    if function is functional.layer_norm:
        return len(kwargs.get("normalized_shape", args[1] if len(args) > 1 else ())) == 1
    if function not in _OVER_ONE_DIM_FUNCTIONS:
        return False
    place, default = (2, 1) if function is functional.normalize else (1, None)
    return kwargs.get("dim", args[place] if len(args) > place else default) in (1, -1)


def module_by_row(module: nn.Module) -> bool:
    """Whether a module of values `[N, C]` treats every row by itself."""
    from torch_geometric import nn as pyg

    kind = type(module)
    if kind is nn.LayerNorm:
        return len(module.normalized_shape) == 1  # type: ignore[arg-type]
    if kind in (nn.Softmax, nn.LogSoftmax):
        return module.dim in (1, -1)
    if kind is pyg.LayerNorm:
        return bool(module.mode == "node")
    return kind in (*_MODULES, pyg.JumpingKnowledge)


def _holds_rows(arguments: Any) -> bool:
    """Whether a matrix is among the arguments, whose rows might belong to nodes."""
    found: list[bool] = []
    fx.node.map_aggregate(
        arguments, lambda item: found.append(isinstance(item, Tensor) and item.dim() > 1)
    )
    return any(found)
