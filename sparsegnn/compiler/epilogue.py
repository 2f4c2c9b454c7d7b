"""What follows a product before its result is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparsegnn.compiler.row_ops import Activation, activation

Finish = Callable[..., Tensor]


@dataclass(frozen=True)
class Function:
    """An elementwise function by name."""

    name: str
    options: tuple[tuple[str, Any], ...] = ()

    @staticmethod
    def of(operation: Activation) -> Function:
        """That of a network."""
        return Function(operation.name, tuple(sorted(operation.options.items())))

    def in_place(self) -> Callable[[Tensor], Tensor]:
        """The function, over its argument where that is possible."""
        if self.name == "relu":
            return torch.relu_
        options = dict(self.options)
        if self.name in ("elu", "leaky_relu"):
            function: Any = getattr(functional, self.name)
            return lambda h: function(h, **options, inplace=True)
        return activation(self.name, options)


class Epilogue(nn.Module):
    """`after(residual + before(h + bias))`, every part optional.

    Args:
        bias: `[C]`.
        before: Applied after the bias.
        residual: Whether a further value is added.
        after: Applied last.
    """

    bias: Tensor | None

    def __init__(
        self,
        bias: Tensor | None = None,
        before: Function | None = None,
        residual: bool = False,
        after: Function | None = None,
    ) -> None:
        super().__init__()
        self.register_buffer("bias", bias)
        self.before = before
        self.residual = residual
        self.after = after

    @property
    def relu_first(self) -> bool:
        """Whether `before` is ReLU, which kernels fuse."""
        return self.before is not None and self.before.name == "relu"

    def __str__(self) -> str:
        """For labels: what follows, in order."""
        names = [f.name for f in (self.before,) if f is not None]
        names += ["residual"] * self.residual
        names += [f.name for f in (self.after,) if f is not None]
        return "".join(f" + {name}" for name in names)

    def rest(
        self, *, bias: bool = False, before: bool = False, residual: bool = False
    ) -> Finish | None:
        """What a kernel that did the named parts leaves to do; None when that is nothing."""
        parts: list[Finish] = []
        if self.bias is not None and not bias:
            parts.append(_adder(self.bias))
        if self.before is not None and not before:
            parts.append(_unary(self.before.in_place()))
        if self.residual and not residual:
            parts.append(lambda h, other: h.add_(other))
        if self.after is not None:
            parts.append(_unary(self.after.in_place()))
        if not parts:
            return None
        return _chain(parts)


def _adder(bias: Tensor) -> Finish:
    return lambda h, *extra: h.add_(bias)


def _unary(function: Callable[[Tensor], Tensor]) -> Finish:
    return lambda h, *extra: function(h)


def _chain(parts: list[Finish]) -> Finish:
    if len(parts) == 1:
        return parts[0]

    def run(h: Tensor, *extra: Tensor) -> Tensor:
        for part in parts:
            h = part(h, *extra)
        return h

    return run
