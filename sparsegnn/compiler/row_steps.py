"""Steps on every node by itself that multiply nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sparsegnn.compiler.epilogue import Epilogue
from sparsegnn.compiler.sizes import Sizes
from sparsegnn.compiler.steps import Run, Step, then


class Elementwise(Step):
    """A scale and an epilogue, or one of them; what it reads may be needed again and is kept."""

    scale: Tensor | None

    def __init__(self, epilogue: Epilogue, scale: Tensor | None = None) -> None:
        super().__init__(epilogue)
        self.register_buffer("scale", scale)
        self.label = f"elementwise{epilogue}"
        self._count(0)

    @classmethod
    def of(cls, operation: Any, width: int, sizes: Sizes, epilogue: Epilogue) -> Step:
        """That of a `Scale`."""
        return cls(epilogue, operation.scale)

    def bind(self) -> Run:
        """Binds scale, bias and functions."""
        scale = self.scale
        if scale is None:
            return self.epilogue.rest(keep=True) or (lambda h: h)

        def run(h: Tensor) -> Tensor:
            return (h * scale).to(h.dtype)

        finish = self.epilogue.rest()
        return run if finish is None else then(run, finish, residual=self.epilogue.residual)


class Concatenate(Step):
    """The channels of all inputs, or those of `index`, and an epilogue."""

    index: Tensor | None

    def __init__(self, index: Tensor | None, epilogue: Epilogue) -> None:
        super().__init__(epilogue)
        self.register_buffer("index", index)
        self.label = f"concatenate{epilogue}"
        self._count(0)

    @classmethod
    def of(cls, operation: Any, width: int, sizes: Sizes, epilogue: Epilogue) -> Step:
        """That of a `Concat`."""
        return cls(operation.index, epilogue)

    def kernel(self) -> Run:
        """Binds the channels."""
        index = self.index
        if index is None:
            return lambda *values: torch.cat(values, dim=1)
        return lambda *values: torch.cat(values, dim=1)[:, index]


class TakeNodes(Step):
    """The rows `h[index]` and an epilogue."""

    index: Tensor

    def __init__(self, index: Tensor, epilogue: Epilogue) -> None:
        super().__init__(epilogue)
        self.register_buffer("index", index)
        self.label = f"rows of {len(index)} nodes{epilogue}"
        self._count(0)

    @classmethod
    def of(cls, operation: Any, width: int, sizes: Sizes, epilogue: Epilogue) -> Step:
        """That of a `NodeSubset`."""
        return cls(operation.index, epilogue)

    def kernel(self) -> Run:
        """Binds the rows."""
        index = self.index
        return lambda h: h.index_select(0, index)


class MeanOfHeads(Step):
    """The mean of [N, heads, C] over heads, or its channels `index`, and an epilogue."""

    index: Tensor | None

    def __init__(self, heads: int, index: Tensor | None, epilogue: Epilogue) -> None:
        super().__init__(epilogue)
        self.heads = heads
        self.register_buffer("index", index)
        self.label = f"mean of {heads} heads{epilogue}"
        self._count(0)

    @classmethod
    def of(cls, operation: Any, width: int, sizes: Sizes, epilogue: Epilogue) -> Step:
        """That of a `HeadMean`."""
        return cls(operation.heads, operation.index, epilogue)

    def kernel(self) -> Run:
        """Binds the channels."""
        heads, index = self.heads, self.index

        def run(h: Tensor) -> Tensor:
            out: Tensor = h.unflatten(1, (heads, -1)).mean(dim=1)
            return out if index is None else out[:, index]

        return run


class Call(Step):
    """A function of whole values that the compiler does not look into, and an epilogue.

    Args:
        call: The function.
        name: How reports name it.
        epilogue: What follows.
        sizes: With a storage dtype, values are converted for the call, and its result back.
    """

    def __init__(
        self, call: Callable[..., Tensor], name: str, epilogue: Epilogue, sizes: Sizes
    ) -> None:
        super().__init__(epilogue)
        self.call: Any = call
        self.storage = sizes.storage
        self.label = f"{name}{epilogue}"
        self._count(0)

    @classmethod
    def of(cls, operation: Any, width: int, sizes: Sizes, epilogue: Epilogue) -> Step:
        """That of an `Opaque`."""
        return cls(operation.call, operation.where, epilogue, sizes)

    def bind(self) -> Run:
        """The function, followed by the epilogue, which leaves what the function gave alone."""
        call, storage = self.call, self.storage
        run: Run = call
        if storage is not None:
            run = _converted(call, storage)
        finish = self.epilogue.rest(keep=True)
        return run if finish is None else then(run, finish, residual=self.epilogue.residual)


def _converted(call: Callable[..., Tensor], storage: torch.dtype) -> Run:
    """A function of float32 between values of another dtype."""
    return lambda *values: call(*[value.float() for value in values]).to(storage)
