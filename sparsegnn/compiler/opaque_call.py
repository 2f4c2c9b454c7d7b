"""Calls that the compiler does not look into, as modules: what they hold moves with the program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, fx, nn

from sparsegnn.graph import Graph


@dataclass(frozen=True)
class Slot:
    """Stands for a value in the arguments of a call."""

    index: int


@dataclass(frozen=True)
class _Held:
    """Stands for a buffer."""

    name: str


class OpaqueCall(nn.Module):
    """A function whose arguments are given but for the values.

    Args:
        function: Called; a module becomes part of this one.
        arguments: Positional and named arguments, with a `Slot` in the place of every value.
    """

    def __init__(self, function: Callable[..., Any], arguments: Any) -> None:
        super().__init__()
        self.function = function
        self._arguments = fx.node.map_aggregate(arguments, self._hold)

    def forward(self, *values: Tensor) -> Any:
        """What the function gives for the values."""
        args, named = self._arguments
        given = [self._filled(item, values) for item in args]
        return self.function(*given, **{k: self._filled(v, values) for k, v in named.items()})

    def _filled(self, item: Any, values: tuple[Tensor, ...]) -> Any:
        if isinstance(item, Slot):
            return values[item.index]
        if isinstance(item, _Held):
            return getattr(self, item.name)
        if isinstance(item, tuple | list | dict | slice):
            return fx.node.map_aggregate(item, lambda part: self._filled(part, values))
        return item

    def _hold(self, item: Any) -> Any:
        if not isinstance(item, Tensor):
            return item
        name = f"held_{len(self._buffers)}"
        self.register_buffer(name, item)
        return _Held(name)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> OpaqueCall:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]

        def move(item: Any) -> Any:
            return item.to(fn(item.rowptr).device) if isinstance(item, Graph) else item

        self._arguments = fx.node.map_aggregate(self._arguments, move)
        return self
