"""`CompiledModel`: what `Ticket.compile` returns."""

from __future__ import annotations

import weakref

import torch
from torch import Tensor, nn

from sparsegnn.compiler.dense import DenseProgram
from sparsegnn.compiler.features import Features
from sparsegnn.compiler.program import Program
from sparsegnn.compiler.report import Report


class CompiledModel(nn.Module):
    """A forward pass with everything pruned removed. For inference: it gives no gradients.

    `f()` and `f(x)` with the features it was compiled with run the program on operands that are
    bound already. Other features [N, F] over the same graph are checked and restricted to the live
    columns first.

    Args:
        program: What is run.
        source: The features given at compile time; recognised by identity.
        report: What `report()` returns.
    """

    def __init__(self, program: Program | DenseProgram, source: Features, report: Report) -> None:
        super().__init__()
        self.program = program
        self._report = report
        self._source = weakref.ref(source)
        self._version = _version(source)

    def forward(self, x: Features | None = None) -> Tensor:
        """Logits [N, C].

        Args:
            x: Features [N, F], dense or `SparseMatrix`; None for those of compile time.

        Raises:
            TypeError: x has a wrong type or dtype.
            ValueError: x has a wrong shape, is not finite, or uses a feature that was removed.
        """
        given = None if x is None or self._is_source(x) else x
        with torch.inference_mode():
            out: Tensor = self.program.forward(given)
        return out if torch.is_inference_mode_enabled() else out.clone()

    def report(self) -> Report:
        """The plan, the operations on every base, bytes, and measured times."""
        return self._report

    def _is_source(self, x: Features) -> bool:
        return x is self._source() and _version(x) == self._version


def _version(x: Features) -> int:
    """Counts in-place changes of x; inference tensors count none."""
    values = x if isinstance(x, Tensor) else x.values
    return -1 if values.is_inference() else values._version
