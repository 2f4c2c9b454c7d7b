"""A network as operations over node features: what the compiler rewrites and plans.

Every operation maps values `[N, C]` to one value. Channels are independent unless the operation
says otherwise, which is what removing dead ones rests on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

INPUT = 0


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation; a value is known by its number, the input of the network by 0.

    Attributes:
        inputs: The values that it takes.
        where: Path of the module that it comes from.
    """

    inputs: tuple[int, ...]
    where: str = ""

    # Whether inputs and output have the same channels, so that all of them keep the same ones.
    aligned = False
    # Whether all channels of the output are given, whichever of them are read.
    gives_all = False
    # Whether a channel of zeros may be added to an aligned operation.
    accepts_padding = False

    def width(self, widths: list[int]) -> int:
        """Channels of the output, from those of the inputs."""
        return widths[0]

    def constants(self, inputs: list[Tensor]) -> Tensor:
        """Channels that are one number for every node, NaN where they are not; float64 `[C]`."""
        raise NotImplementedError

    def reads(self, live: Tensor, constants: list[Tensor]) -> list[Tensor]:
        """Per input, the channels that the live channels of the output depend on; bool `[C]`."""
        raise NotImplementedError

    def compact(self, inputs: list[Tensor], output: Tensor) -> Operation:
        """The operation between kept channels: indices, ascending; -1 stands for a 0."""
        raise NotImplementedError

    def nodes_read(self, needed: Tensor) -> list[Tensor]:
        """Per input, the nodes that the needed rows of the output depend on; bool `[N]`."""
        return [needed] * len(self.inputs)


@dataclass
class Network:
    """Operations in the order of execution, by the value that they give.

    Attributes:
        input_width: Channels of the input, value 0.
        operations: The operations.
        output: The value that is the result.
    """

    input_width: int
    operations: dict[int, Operation] = field(default_factory=dict)
    output: int = INPUT
    _next: int = 1

    def add(self, operation: Operation) -> int:
        """Appends an operation and returns its value."""
        value = self._next
        self._next += 1
        self.operations[value] = operation
        return value

    def widths(self) -> dict[int, int]:
        """Channels of every value."""
        widths = {INPUT: self.input_width}
        for value, operation in self.operations.items():
            widths[value] = operation.width([widths[i] for i in operation.inputs])
        return widths

    def consumers(self) -> dict[int, list[int]]:
        """Per value, the values computed from it; the result of the network counts as -1."""
        users: dict[int, list[int]] = {INPUT: [], **{value: [] for value in self.operations}}
        for value, operation in self.operations.items():
            for source in operation.inputs:
                users[source].append(value)
        users[self.output].append(-1)
        return users

    def rebuilt(self, operations: Iterable[tuple[int, Operation]], output: int) -> Network:
        """A network of other operations, which may use new values of `fresh`."""
        return Network(self.input_width, dict(operations), output, self._next)

    def fresh(self) -> int:
        """A value that no operation gives yet."""
        self._next += 1
        return self._next - 1

    def without_unused(self) -> Network:
        """The network without operations that the result does not depend on."""
        needed = {self.output}
        for value, operation in reversed(self.operations.items()):
            if value in needed:
                needed.update(operation.inputs)
        kept = [(value, op) for value, op in self.operations.items() if value in needed]
        return self.rebuilt(kept, self.output)


def renamed(operation: Operation, names: dict[int, int]) -> Operation:
    """The operation with inputs replaced by what `names` calls them."""
    return replace(operation, inputs=tuple(names.get(i, i) for i in operation.inputs))


def take(values: Tensor, index: Tensor, fill: float = 0.0) -> Tensor:
    """`values[index]`, with `fill` where the index is -1."""
    taken = values[index.clamp(min=0)]
    return torch.where(index >= 0, taken, fill)
