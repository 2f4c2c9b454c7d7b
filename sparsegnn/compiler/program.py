"""A compiled program: steps in order, over values in numbered slots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.features import FeatureInput, Features
from sparsegnn.compiler.network import INPUT
from sparsegnn.compiler.planner import Choice, Forms
from sparsegnn.compiler.steps import Run, Step

SPARSE, DENSE = 0, 1
Bound = tuple[tuple[Run, tuple[int, ...], int, tuple[int, ...]], ...]


@dataclass(frozen=True)
class Instruction:
    """One call: which slots it reads, where its result goes, which slots nothing reads after it."""

    reads: tuple[int, ...]
    writes: int
    frees: tuple[int, ...] = ()


class Program(nn.Module):
    """Steps over features that are bound at compile time; other features may be given.

    Args:
        sparse: Turns given features into a `CsrMatrix`; None when no step reads one.
        dense: Turns them into a tensor of the live columns; None when no step reads it.
        forms: What these make of the bound features.
        steps: The operator calls in order.
        code: An instruction per step.
        result: Slot of the result.
        dtype: Dtype of the result where it is not that of the slot.
    """

    def __init__(
        self,
        sparse: FeatureInput | None,
        dense: FeatureInput | None,
        forms: Forms,
        steps: list[Step],
        code: list[Instruction],
        result: int,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.sparse_input, self.dense_input = sparse, dense
        self.sparse_features = None if sparse is None else forms.sparse
        self.register_buffer(
            "dense_features", None if dense is None else forms.dense, persistent=False
        )
        self.steps = nn.ModuleList(steps)
        self.code = tuple(code)
        self.result = result
        self.dtype = dtype
        self._num_slots = 2 + sum(1 for _ in code)
        self._bound: Bound = ()
        self._bind()

    def forward(self, x: Features | None = None) -> Tensor:
        """The model's output for the bound features, or for x."""
        slots: list[Any] = [None] * self._num_slots
        slots[SPARSE], slots[DENSE] = self._features(x)
        bound = self._bound
        if torch.compiler.is_compiling():  # a tracer has to see where the tensors come from
            bound = self._bindings()
        for run, reads, writes, frees in bound:
            slots[writes] = run(*[slots[i] for i in reads])
            for i in frees:
                slots[i] = None
        result: Tensor = slots[self.result]
        return result if self.dtype is None else result.to(self.dtype)

    def _features(self, x: Features | None) -> tuple[CsrMatrix | None, Tensor | None]:
        if x is None:
            return self.sparse_features, self.dense_features  # type: ignore[return-value]
        sparse = None if self.sparse_input is None else self.sparse_input(x)
        dense = None if self.dense_input is None else self.dense_input(x)
        return sparse, dense

    def _bind(self) -> None:
        self._bound = self._bindings()

    def _bindings(self) -> Bound:
        return tuple(
            (step.bind(), at.reads, at.writes, at.frees)
            for step, at in zip(self.steps, self.code, strict=True)
            if isinstance(step, Step)
        )

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Program:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._bind()
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Leaves the bound functions out: a copy binds its own buffers."""
        return {**self.__dict__, "_bound": ()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._bind()

    def touched_bytes(self) -> list[int]:
        """Per step, the bytes of its operands, of what it reads and of its result; runs it once."""
        slots: list[Any] = [None] * self._num_slots
        slots[SPARSE], slots[DENSE] = self._features(None)
        touched: list[int] = []
        with torch.inference_mode():
            for step, (run, reads, writes, frees) in zip(self.steps, self._bound, strict=True):
                slots[writes] = run(*[slots[i] for i in reads])
                values = [*(slots[i] for i in reads), slots[writes]]
                touched.append(_bytes(step) + sum(_value_bytes(value) for value in values))
                for i in frees:
                    slots[i] = None
        return touched

    @property
    def feature_bytes(self) -> int:
        """Memory of the features that are bound."""
        stored = 0 if self.sparse_features is None else _bytes(self.sparse_features)
        dense: Tensor | None = self.dense_features  # type: ignore[assignment]
        return stored if dense is None else stored + dense.numel() * dense.element_size()

    @property
    def weight_bytes(self) -> int:
        """Memory of weights and biases, with their indices."""
        return _bytes(self.steps) - self.graph_bytes

    @property
    def graph_bytes(self) -> int:
        """Memory of the graphs with their values."""
        found = [getattr(step, "matrix", None) for step in self.steps]
        matrices = {id(matrix): matrix for matrix in found if isinstance(matrix, CsrMatrix)}
        return sum(_bytes(matrix) for matrix in matrices.values())


def assemble(
    choices: list[Choice],
    result: int,
    forms: Forms,
    make_input: Callable[[bool], FeatureInput],
    dtype: torch.dtype | None = None,
) -> Program:
    """Lays the chosen steps out in slots.

    Args:
        choices: In the order of execution.
        result: The value that is the result.
        forms: The bound features.
        make_input: Makes the `FeatureInput` for the sparse form, or the dense one.
        dtype: Dtype of the result where features are stored in another one.
    """
    slots: dict[int, int] = {}
    steps: list[Step] = []
    code: list[Instruction] = []
    used: set[int] = set()
    for choice in choices:
        features = SPARSE if choice.chosen.sparse_input else DENSE
        reads = [features if value == INPUT else slots[value] for value in choice.reads]
        used.update(i for i in reads if i in (SPARSE, DENSE))
        main, extra = reads[: len(choice.units[0].inputs)], reads[len(choice.units[0].inputs) :]
        for index, step in enumerate(choice.chosen.steps):
            last = index == len(choice.chosen.steps) - 1
            target = 2 + len(code)
            code.append(Instruction((*main, *(extra if last else ())), target))
            steps.append(step)
            main = [target]
        slots[choice.output] = main[0]
    if result == INPUT:
        used.add(DENSE)
    sparse = make_input(True) if SPARSE in used else None
    dense = make_input(False) if DENSE in used else None
    end = slots.get(result, DENSE)
    return Program(sparse, dense, forms, steps, _with_frees(code, end), end, dtype)


def _with_frees(code: list[Instruction], result: int) -> list[Instruction]:
    needed = {result}
    done: list[Instruction] = []
    for at in reversed(code):
        frees = tuple(i for i in dict.fromkeys(at.reads) if i not in needed)
        needed.update(at.reads)
        done.append(Instruction(at.reads, at.writes, frees))
    return done[::-1]


def _bytes(module: nn.Module) -> int:
    held = (*module.buffers(), *module.parameters())
    return sum(tensor.numel() * tensor.element_size() for tensor in held)


def _value_bytes(value: CsrMatrix | Tensor | tuple[Tensor, ...]) -> int:
    if isinstance(value, CsrMatrix):
        return _bytes(value)
    parts = value if isinstance(value, tuple) else (value,)
    return sum(part.numel() * part.element_size() for part in parts)
