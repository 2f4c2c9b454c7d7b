"""Steps on every node by itself that multiply nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sparsegnn.compiler.epilogue import Epilogue
from sparsegnn.compiler.steps import Run, Step


class Elementwise(Step):
    """An epilogue by itself: of a copy, as its input may be needed again."""

    def __init__(self, epilogue: Epilogue, scale: Tensor | None = None) -> None:
        super().__init__()
        self.epilogue = epilogue
        self.register_buffer("scale", scale)
        self.label = f"elementwise{epilogue}"
        self._count(0)

    def bind(self) -> Run:
        """Binds bias and functions."""
        finish, scale = self.epilogue.rest(), self.scale
        if scale is not None:
            return lambda h, *extra: h * scale if finish is None else finish(h * scale, *extra)
        if finish is None:
            return lambda h: h
        return lambda h, *extra: finish(h.clone(), *extra)


class Concatenate(Step):
    """The channels of all inputs, or those of `index`, and an epilogue."""

    index: Tensor | None

    def __init__(self, index: Tensor | None, epilogue: Epilogue) -> None:
        super().__init__()
        self.register_buffer("index", index)
        self.epilogue = epilogue
        self.label = f"concatenate{epilogue}"
        self._count(0)

    def bind(self) -> Run:
        """Binds the channels."""
        index, finish, residual = self.index, self.epilogue.rest(), self.epilogue.residual

        def run(*inputs: Tensor) -> Tensor:
            values = inputs[:-1] if residual else inputs
            out = torch.cat(values, dim=1)
            out = out if index is None else out[:, index]
            return out if finish is None else finish(out, *inputs[len(values) :])

        return run


class TakeNodes(Step):
    """The rows `h[index]` and an epilogue."""

    index: Tensor

    def __init__(self, index: Tensor, epilogue: Epilogue) -> None:
        super().__init__()
        self.register_buffer("index", index)
        self.epilogue = epilogue
        self.label = f"rows of {len(index)} nodes{epilogue}"
        self._count(0)

    def bind(self) -> Run:
        """Binds the rows."""
        index, finish = self.index, self.epilogue.rest()
        if finish is None:
            return lambda h: h.index_select(0, index)
        return lambda h, *extra: finish(h.index_select(0, index), *extra)


class MeanOfHeads(Step):
    """The mean of [N, heads, C] over heads, or its channels `index`, and an epilogue."""

    index: Tensor | None

    def __init__(self, heads: int, index: Tensor | None, epilogue: Epilogue) -> None:
        super().__init__()
        self.heads = heads
        self.register_buffer("index", index)
        self.epilogue = epilogue
        self.label = f"mean of {heads} heads{epilogue}"
        self._count(0)

    def bind(self) -> Run:
        """Binds the channels."""
        heads, index, finish = self.heads, self.index, self.epilogue.rest()

        def run(h: Tensor, *extra: Tensor) -> Tensor:
            out = h.unflatten(1, (heads, -1)).mean(dim=1)
            out = out if index is None else out[:, index]
            return out if finish is None else finish(out, *extra)

        return run


class Call(Step):
    """A function of whole values that the compiler does not look into, and an epilogue."""

    def __init__(self, call: Callable[..., Tensor], name: str, epilogue: Epilogue) -> None:
        super().__init__()
        self.call: Any = call
        self.epilogue = epilogue
        self.label = f"{name}{epilogue}"
        self._count(0)

    def bind(self) -> Run:
        """The function, followed by the epilogue."""
        call, finish, residual = self.call, self.epilogue.rest(), self.epilogue.residual
        if finish is None:
            run: Run = call
            return run

        def both(*inputs: Tensor) -> Tensor:
            values = inputs[:-1] if residual else inputs
            return finish(call(*values).clone(), *inputs[len(values) :])

        return both
