"""The steps of a compiled program: each binds one kernel to static operands.

`bind()` returns a plain function over tensors looked up once, so that running a step costs one
operator call. It takes what the step reads, and last the residual where its epilogue adds one. It
must be called again after the buffers have moved (`.to()`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.epilogue import NOTHING, Epilogue, Finish, Fused
from sparsegnn.compiler.sizes import Sizes

Run = Callable[..., Tensor]


class Step(nn.Module):
    """One operator call of a program, and an epilogue.

    A step takes features of any dtype that its kernel takes and gives the same, unless it says
    otherwise.

    Attributes:
        kind: What it is, for the estimate of its time.
        label: How reports name it.
        macs: Multiply-accumulates per call.
        dense_macs: The same if the features were stored dense.
        work: What its time is in proportion to; the multiply-accumulates where there are any.
        epilogue: What follows the kernel.
        fused: The parts of it that the kernel computes.
    """

    kind: str = ""
    label: str
    macs: int
    dense_macs: int
    work: int

    def __init__(self, epilogue: Epilogue | None = None) -> None:
        super().__init__()
        self.epilogue = Epilogue() if epilogue is None else epilogue

    @classmethod
    def of(cls, operation: Any, width: int, sizes: Sizes, epilogue: Epilogue) -> Step:
        """The step of an operation whose result has `width` channels."""
        raise NotImplementedError

    @property
    def fused(self) -> Fused:
        """Nothing, unless the kernel says otherwise."""
        return NOTHING

    def kernel(self) -> Run:
        """The function of the step's inputs, and of the residual if that is fused."""
        raise NotImplementedError

    def bind(self) -> Run:
        """Returns the function of the step's inputs."""
        run, finish = self.kernel(), self.epilogue.rest(self.fused)
        if finish is None:
            return run
        return then(run, finish, residual=self.epilogue.residual and not self.fused.residual)

    def _count(self, macs: int, dense_macs: int | None = None, work: int | None = None) -> None:
        self.macs = macs
        self.dense_macs = macs if dense_macs is None else dense_macs
        self.work = macs if work is None else work


def then(run: Run, finish: Finish, *, residual: bool) -> Run:
    """`finish` after `run`; with `residual`, the last value is for `finish`."""
    if residual:
        return lambda *values: finish(run(*values[:-1]), values[-1])
    return lambda *values: finish(run(*values))


class Spmm(Step):
    """`A h` and an epilogue for a matrix of edge values A, h [N, F].

    Args:
        matrix: A.
        width: F.
        epilogue: What follows.
        store: Dtype of the result; by default that of h.
    """

    kind = "aggregation"

    def __init__(
        self,
        matrix: CsrMatrix,
        width: int,
        epilogue: Epilogue | None = None,
        store: torch.dtype | None = None,
    ) -> None:
        super().__init__(epilogue)
        self.matrix = matrix
        self.store = store
        self.label = f"aggregate {width} wide{self.epilogue}"
        self._count(matrix.nnz * width)

    @classmethod
    def of(cls, operation: Any, width: int, sizes: Sizes, epilogue: Epilogue) -> Step:
        """An aggregation by itself."""
        return cls(operation.matrix, width, epilogue, sizes.store)

    @property
    def fused(self) -> Fused:
        """Bias, ReLU, and a residual that nothing but these precedes."""
        last = self.epilogue
        relu = last.relu_first
        return Fused(bias=True, before=relu, residual=last.before is None or relu)

    def kernel(self) -> Run:
        """Binds the matrix and what the kernel fuses of the epilogue."""
        spmm: Any = torch.ops.sparsegnn.spmm.default
        structure, (value, scale) = self.matrix.structure(), self.matrix.values()
        bias, relu, store = self.epilogue.bias, self.epilogue.relu_first, self.store
        before = (value, None, None, scale, None, bias, False, relu)
        if store is not None:
            return _stored(spmm, structure, before, store)

        def run(h: Any, residual: Tensor | None = None) -> Tensor:
            out: Tensor = spmm(*structure, h, *before, residual)
            return out

        return run


def _stored(spmm: Any, structure: Any, before: Any, store: torch.dtype) -> Run:
    """A call of `spmm` with a result of another dtype than the features."""

    def run(h: Any, residual: Tensor | None = None) -> Tensor:
        other = None if residual is None else residual.to(store)
        out: Tensor = spmm(*structure, h, *before, other, 0.0, None, store)
        return out

    return run
