"""A reader for the object streams of the Planetoid files that cannot run code.

The files hold a NumPy array, a SciPy CSR matrix, or a dictionary of integer lists, serialised in
2014. `pickletools.genops` splits the stream into opcodes without interpreting them; the small
stack machine below knows only the opcodes and the six names that occur in such files and builds
plain data from them. A name is never imported and nothing is ever called by name.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sparsegnn.data.errors import DataError

_ARRAY = "numpy.core.multiarray _reconstruct"
_NDARRAY = "numpy ndarray"
_DTYPE = "numpy dtype"
_CSR = "scipy.sparse.csr csr_matrix"
_DEFAULTDICT = "collections defaultdict"
_LIST = "__builtin__ list"
_NAMES = frozenset({_ARRAY, _NDARRAY, _DTYPE, _CSR, _DEFAULTDICT, _LIST})
_DTYPES = frozenset({"i4", "i8", "f4", "f8"})
_MARK = object()


@dataclass(frozen=True)
class _Name:
    value: str


@dataclass
class _Dtype:
    code: str
    order: str = "<"


@dataclass
class _Pending:
    """An array or matrix whose state has not been read yet."""

    kind: str
    value: Any = None


@dataclass(frozen=True)
class CsrParts:
    """The arrays of a CSR matrix as stored: nothing is checked beyond their types."""

    data: np.ndarray[Any, Any]
    indices: np.ndarray[Any, Any]
    indptr: np.ndarray[Any, Any]
    shape: tuple[int, int]


@dataclass
class _Machine:
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def pop(self) -> Any:
        return self.stack.pop()

    def pop_to_mark(self) -> list[Any]:
        items: list[Any] = []
        while (item := self.stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def push_tuple(self, size: int) -> None:
        items = [self.stack.pop() for _ in range(size)]
        self.stack.append(tuple(items[::-1]))


def read_object(data: bytes) -> Any:
    """Builds the array, `CsrParts` or dictionary that the stream describes.

    Args:
        data: The whole file.

    Returns:
        A NumPy array, a `CsrParts`, or a dict of lists of int.

    Raises:
        DataError: The stream is truncated or uses an opcode, name or value that is not allowed.
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name == "STOP":
                return _finished(machine.pop())
            _step(machine, opcode.name, argument)
    except DataError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise DataError(f"damaged object stream ({type(error).__name__}: {error})") from error
    raise DataError("damaged object stream (it has no end)")


def _step(machine: _Machine, name: str, argument: Any) -> None:
    if name in _PUSHES:
        machine.stack.append(_PUSHES[name](argument))
    elif name in _ACTIONS:
        _ACTIONS[name](machine, argument)
    else:
        raise DataError(f"opcode {name} is not allowed in a data file")


def _name(argument: str) -> _Name:
    if argument not in _NAMES:
        raise DataError(f"name '{argument}' is not allowed in a data file")
    return _Name(argument)


def _put(machine: _Machine, argument: int) -> None:
    machine.memo[argument] = machine.stack[-1]


def _reduce(machine: _Machine, _: Any) -> None:
    arguments, name = machine.pop(), machine.pop()
    if name == _Name(_ARRAY) and arguments[0] == _Name(_NDARRAY):
        machine.stack.append(_Pending("array"))
    elif name == _Name(_DTYPE) and arguments[0] in _DTYPES:
        machine.stack.append(_Dtype(arguments[0]))
    elif name == _Name(_DEFAULTDICT) and arguments == (_Name(_LIST),):
        machine.stack.append({})
    else:
        raise DataError(f"call of {name} with {arguments!r} is not allowed in a data file")


def _new_object(machine: _Machine, _: Any) -> None:
    arguments, name = machine.pop(), machine.pop()
    if name != _Name(_CSR) or arguments != ():
        raise DataError(f"object of {name} is not allowed in a data file")
    machine.stack.append(_Pending("csr"))


def _build(machine: _Machine, _: Any) -> None:
    state, target = machine.pop(), machine.stack[-1]
    if isinstance(target, _Dtype):
        target.order = state[1]
    elif isinstance(target, _Pending) and target.value is None:
        target.value = _array(state) if target.kind == "array" else _csr(state)
    else:
        raise DataError("damaged object stream (a state without an object)")


def _array(state: tuple[Any, ...]) -> np.ndarray[Any, Any]:
    _, shape, dtype, fortran, raw = state
    if not isinstance(dtype, _Dtype) or dtype.order != "<" or fortran is not False:
        raise DataError("an array is not little-endian and C-ordered")
    if not all(type(size) is int and size >= 0 for size in shape):
        raise DataError(f"an array has the invalid shape {shape!r}")
    values: np.ndarray[Any, Any] = np.frombuffer(
        raw.encode("latin-1"), dtype=np.dtype("<" + dtype.code)
    )
    if values.size != math.prod(shape):
        raise DataError(f"an array of shape {shape!r} holds {values.size} values")
    shaped: np.ndarray[Any, Any] = values.reshape(shape)
    return shaped


def _csr(state: dict[str, Any]) -> CsrParts:
    data, indices, indptr = (_finished(state[key]) for key in ("data", "indices", "indptr"))
    rows, columns = state["_shape"]
    return CsrParts(data, indices, indptr, (int(rows), int(columns)))


def _finished(value: Any) -> Any:
    if isinstance(value, _Pending):
        value = value.value
    if not isinstance(value, np.ndarray | CsrParts | dict):
        raise DataError(f"an object stream holds a {type(value).__name__}, not data")
    return value


def _append(machine: _Machine, items: list[Any]) -> None:
    target = machine.stack[-1]
    if not isinstance(target, list):
        raise DataError("damaged object stream (items without a list)")
    target.extend(items)


def _set_items(machine: _Machine, items: list[Any]) -> None:
    target = machine.stack[-1]
    if not isinstance(target, dict) or len(items) % 2:
        raise DataError("damaged object stream (items without a dictionary)")
    target.update(zip(items[::2], items[1::2], strict=True))


def _append_one(machine: _Machine, _: Any) -> None:
    _append(machine, [machine.pop()])


def _set_one(machine: _Machine, _: Any) -> None:
    value, key = machine.pop(), machine.pop()
    _set_items(machine, [key, value])


_PUSHES: dict[str, Callable[[Any], Any]] = {
    "MARK": lambda _: _MARK,
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_TUPLE": lambda _: (),
    "EMPTY_LIST": lambda _: [],
    "EMPTY_DICT": lambda _: {},
    "BININT": int,
    "BININT1": int,
    "BININT2": int,
    "BINSTRING": str,
    "SHORT_BINSTRING": str,
    "GLOBAL": _name,
}
_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": lambda _machine, _: None,
    "BINPUT": _put,
    "LONG_BINPUT": _put,
    "BINGET": lambda machine, slot: machine.stack.append(machine.memo[slot]),
    "LONG_BINGET": lambda machine, slot: machine.stack.append(machine.memo[slot]),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.pop_to_mark())),
    "TUPLE1": lambda machine, _: machine.push_tuple(1),
    "TUPLE2": lambda machine, _: machine.push_tuple(2),
    "TUPLE3": lambda machine, _: machine.push_tuple(3),
    "REDUCE": _reduce,
    "NEWOBJ": _new_object,
    "BUILD": _build,
    "APPEND": _append_one,
    "APPENDS": lambda machine, _: _append(machine, machine.pop_to_mark()),
    "SETITEM": _set_one,
    "SETITEMS": lambda machine, _: _set_items(machine, machine.pop_to_mark()),
}
