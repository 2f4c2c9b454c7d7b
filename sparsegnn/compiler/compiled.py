"""`CompiledModel`: what `compile` returns."""

from __future__ import annotations

import weakref
from pathlib import Path

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

    `torch.compile(fullgraph=True)` and `torch.export` take it: `f()` always, `f(x)` where the plan
    reads dense features; x is then not checked.

    Args:
        program: What is run.
        source: The features given at compile time; recognised by identity.
        report: What `report()` returns.
    """

    def __init__(
        self, program: Program | DenseProgram, source: Features | None, report: Report
    ) -> None:
        super().__init__()
        self.program = program
        self._report = report
        self._source = None if source is None else weakref.ref(source)
        self._version = 0 if source is None else _version(source)

    def forward(self, x: Features | None = None) -> Tensor:
        """Logits [N, C], or those of the nodes that it was compiled for.

        Args:
            x: Features [N, F], dense or `SparseMatrix`; None for those of compile time.

        Raises:
            TypeError: x has a wrong type or dtype.
            ValueError: x has a wrong shape, is not finite, or uses a feature that was removed.
        """
        if torch.compiler.is_compiling():
            return self.program.forward(x)
        given = None if x is None or self._is_source(x) else x
        if torch.is_inference_mode_enabled():
            return self.program.forward(given)
        if isinstance(self.program, DenseProgram):
            with torch.no_grad():
                return self.program.forward(given)
        with torch.inference_mode():
            out = self.program.forward(given)
        return out.clone()

    def report(self) -> Report:
        """The plan, the operations on every base, bytes, and measured times."""
        return self._report

    def save(self, path: str | Path) -> None:
        """Writes program, bound features and report to one file, through a temporary name.

        Raises:
            OSError: The file could not be written; an older one at `path` is untouched.
            ValueError: The model was kept as it is, or holds a module that the compiler does not
                know: store the model instead.
        """
        from sparsegnn.compiler.files import ProgramError, save_program

        if isinstance(self.program, DenseProgram):
            raise ProgramError(
                f"the model was kept as it is, so store its state_dict; {self._report.reason}"
            )
        save_program(Path(path), self.program, self._report)

    @staticmethod
    def load(path: str | Path) -> CompiledModel:
        """Reads what `save` wrote; nothing in the file is executed or unpickled.

        Raises:
            OSError: The file cannot be read.
            ValueError: It is no compiled program, of another version, or damaged.
        """
        from sparsegnn.compiler.files import load_program

        program, report = load_program(Path(path))
        return CompiledModel(program, None, report)

    def _is_source(self, x: Features) -> bool:
        if self._source is None:
            return False
        return x is self._source() and _version(x) == self._version


def _version(x: Features) -> int:
    """Counts in-place changes of x; inference tensors count none."""
    values = x if isinstance(x, Tensor) else x.values
    return -1 if values.is_inference() else values._version
