"""Groups the operations of a network into units: a product or two and what follows them."""

from __future__ import annotations

from dataclasses import dataclass, field

from sparsegnn.compiler.epilogue import Epilogue, Function
from sparsegnn.compiler.graph_ops import Aggregate
from sparsegnn.compiler.network import Network, Operation
from sparsegnn.compiler.row_ops import Activation, Add, Bias, Linear, TopK


@dataclass
class Unit:
    """What is planned as one.

    Attributes:
        linear: `h W^T`, if the unit has one.
        aggregate: `A h`, if it has one; the two commute, as nothing lies between them.
        other: The operation of a unit that has neither, unless it is part of the epilogue.
        topk: Applied to the input first, before a product; None without.
        inputs: Values that it reads, without the residual.
        output: The value that it gives.
        position: Place of its last operation in the network.
        width: Channels that its first operation gives.
        bias: Added to the product.
        before: Applied after the bias.
        residual: The value that is added then.
        after: Applied last.
        where: Paths of the modules that it comes from.
        values: What its operations give.
    """

    inputs: tuple[int, ...]
    output: int
    position: int
    width: int
    linear: Linear | None = None
    aggregate: Aggregate | None = None
    other: Operation | None = None
    topk: TopK | None = None
    bias: Bias | None = None
    before: Function | None = None
    residual: int | None = None
    after: Function | None = None
    where: list[str] = field(default_factory=list)
    values: list[int] = field(default_factory=list)

    @property
    def epilogue(self) -> Epilogue:
        """What follows the product, as a module of its own."""
        bias = None if self.bias is None else self.bias.bias
        return Epilogue(bias, self.before, self.residual is not None, self.after)

    @property
    def reads(self) -> tuple[int, ...]:
        """All values that it needs."""
        return self.inputs if self.residual is None else (*self.inputs, self.residual)

    @property
    def name(self) -> str:
        """For reports."""
        return ", ".join(self.where) or "features"


def form_units(network: Network) -> list[Unit]:
    """Units in an order in which each finds its inputs computed.

    Pairs of a linear map and an aggregation are formed first: what follows them costs nothing in
    their kernel, so that they, and not a plain linear map, take a residual.
    """
    former = _Former(network)
    operations = network.operations
    for value, operation in operations.items():
        if isinstance(operation, Aggregate) or former.starts_pair(value):
            former.start(value)
    for value in operations:
        former.start(value)
    return sorted(former.units, key=lambda unit: unit.position)


class _Former:
    def __init__(self, network: Network) -> None:
        self.operations = network.operations
        self.users = network.consumers()
        self.widths = network.widths()
        self.place = {value: index for index, value in enumerate(network.operations)}
        self.taken: set[int] = set()
        self.units: list[Unit] = []

    def starts_pair(self, value: int) -> bool:
        """Whether a linear map and an aggregation follow each other here, in either order."""
        return self._partner(value) is not None

    def start(self, value: int) -> None:
        """Forms the unit that starts with this operation, unless another one has it."""
        if value in self.taken:
            return
        operation = self.operations[value]
        unit = Unit(operation.inputs, value, self.place[value], self.widths[value])
        self._put(unit, operation)
        self._extend(unit, value)
        self._take_topk(unit)
        partner = self._partner(value)
        if partner is not None:
            self._put(unit, self.operations[partner])
            self._extend(unit, partner)
        while self._absorb(unit):
            pass
        self.units.append(unit)

    def _take_topk(self, unit: Unit) -> None:
        """The activation before a product, if nothing else reads it."""
        source = unit.inputs[0]
        before = self.operations.get(source)
        if (unit.linear is None and unit.aggregate is None) or source in self.taken:
            return
        if isinstance(before, TopK) and self.users[source] == unit.values[:1]:
            unit.topk, unit.inputs = before, before.inputs
            unit.values.insert(0, source)
            self.taken.add(source)

    def _put(self, unit: Unit, operation: Operation) -> None:
        if isinstance(operation, Linear):
            unit.linear = operation
        elif isinstance(operation, Aggregate):
            unit.aggregate = operation
        elif isinstance(operation, Bias):
            unit.bias = operation
        elif isinstance(operation, Activation):
            unit.before = Function.of(operation)
        elif isinstance(operation, Add):
            (first, unit.residual) = operation.inputs
            unit.inputs = (first,)
        else:
            unit.other = operation

    def _extend(self, unit: Unit, value: int) -> None:
        self.taken.add(value)
        unit.values.append(value)
        unit.output, unit.position = value, self.place[value]
        where = self.operations[value].where
        if where and where not in unit.where:
            unit.where.append(where)

    def _partner(self, value: int) -> int | None:
        operation, follower = self.operations[value], self._only_user(value)
        if follower is None:
            return None
        kinds = {type(operation), type(self.operations[follower])}
        return follower if kinds == {Linear, Aggregate} else None

    def _only_user(self, value: int) -> int | None:
        users = set(self.users[value])
        follower = users.pop()
        if users or follower == -1 or follower in self.taken:
            return None
        return follower

    def _absorb(self, unit: Unit) -> bool:
        follower = self._only_user(unit.output)
        if follower is None or unit.after is not None:
            return False
        operation = self.operations[follower]
        if isinstance(operation, Bias) and _plain(unit):
            unit.bias = operation
        elif isinstance(operation, Activation) and unit.residual is None and unit.before is None:
            unit.before = Function.of(operation)
        elif isinstance(operation, Activation) and unit.residual is not None:
            unit.after = Function.of(operation)
        elif _adds_another(unit, operation):
            unit.residual = _other_input(operation, unit.output)
        else:
            return False
        self._extend(unit, follower)
        return True


def _plain(unit: Unit) -> bool:
    return unit.bias is None and unit.before is None and unit.residual is None


def _adds_another(unit: Unit, operation: Operation) -> bool:
    if not isinstance(operation, Add) or unit.residual is not None:
        return False
    return len(set(operation.inputs)) == 2


def _other_input(addition: Operation, value: int) -> int:
    first, second = addition.inputs
    return second if first == value else first
