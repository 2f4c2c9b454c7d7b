"""What follows a product before its result is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

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

    def out_of_place(self) -> Callable[[Tensor], Tensor]:
        """The function as it is."""
        return activation(self.name, dict(self.options))

    def in_place(self) -> Callable[[Tensor], Tensor]:
        """The function, over its argument where that is possible."""
        if self.name == "relu":
            return torch.relu_
        options = dict(self.options)
        if self.name in ("elu", "leaky_relu"):
            function: Any = getattr(functional, self.name)
            return lambda h: function(h, **options, inplace=True)
        return self.out_of_place()


class Fused(NamedTuple):
    """The parts of an epilogue that a kernel computes itself."""

    bias: bool = False
    before: bool = False
    residual: bool = False


NOTHING = Fused()


class _Part(NamedTuple):
    """One part of an epilogue over its first argument, and into a new tensor."""

    in_place: Finish
    out_of_place: Finish


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

    def rest(self, fused: Fused = NOTHING, *, keep: bool = False) -> Finish | None:
        """What a kernel that fused some parts leaves to do; None when that is nothing.

        Args:
            fused: What the kernel did.
            keep: The first argument is not written to, as others read it.
        """
        parts: list[_Part] = []
        if self.bias is not None and not fused.bias:
            parts.append(_bias(self.bias))
        if self.before is not None and not fused.before:
            parts.append(_unary(self.before))
        if self.residual and not fused.residual:
            parts.append(_RESIDUAL)
        if self.after is not None:
            parts.append(_unary(self.after))
        if not parts:
            return None
        first = parts[0].out_of_place if keep else parts[0].in_place
        return _chain([first, *(part.in_place for part in parts[1:])])


def _bias(bias: Tensor) -> _Part:
    return _Part(lambda h, *extra: h.add_(bias), lambda h, *extra: (h + bias).to(h.dtype))


def _unary(function: Function) -> _Part:
    over, new = function.in_place(), function.out_of_place()
    return _Part(lambda h, *extra: over(h), lambda h, *extra: new(h))


_RESIDUAL = _Part(lambda h, other: h.add_(other), lambda h, other: (h + other).to(h.dtype))


def _chain(parts: list[Finish]) -> Finish:
    if len(parts) == 1:
        return parts[0]

    def run(h: Tensor, *extra: Tensor) -> Tensor:
        for part in parts:
            h = part(h, *extra)
        return h

    return run
