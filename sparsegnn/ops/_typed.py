"""Names the argument of a public operator that has the wrong type, layout, dtype or device."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

FLOATING = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
_PLAIN: dict[str, tuple[str, tuple[type, ...]]] = {
    "bool": ("a bool", (bool,)),
    "int": ("an int", (int,)),
    "float": ("a number", (int, float)),
    "torch.dtype": ("a torch.dtype", (torch.dtype,)),
}
_ALIASES = {"Sparse": "SparseMatrix | SparseRows | SparseWeight"}
_SENTENCE = re.compile(r"(\w+) must [^\n]* got [^\n]*\.")
_Function = TypeVar("_Function", bound=Callable[..., Any])


def typed(function: _Function) -> _Function:
    """Decorates a public operator: when a call fails, arguments of a wrong type are named.

    The annotations of the function say what is right. A call that succeeds pays nothing for it, and
    neither does a compiled one.
    """

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():
            return function(*args, **kwargs)
        try:
            return function(*args, **kwargs)
        except Exception as error:
            fault = None if _names_argument(function, error) else find_fault(function, args, kwargs)
            if fault is None:
                raise
            raise fault from error

    return cast(_Function, checked)


def _names_argument(function: Callable[..., Any], error: Exception) -> bool:
    """Whether the error is a sentence about one of the function's arguments already."""
    if not isinstance(error, (ValueError, TypeError)):
        return False
    sentence = _SENTENCE.fullmatch(str(error))
    return sentence is not None and sentence[1] in inspect.signature(function).parameters


def find_fault(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> ValueError | TypeError | None:
    """The first argument that does not fit its annotation, as an error; None where all do."""
    signature = inspect.signature(function)
    try:
        given = signature.bind(*args, **kwargs).arguments
    except TypeError:
        return None
    device = next((value.csr[0].device for value in given.values() if hasattr(value, "csr")), None)
    for name, value in given.items():
        annotation = str(signature.parameters[name].annotation)
        fault = _fault_of_type(name, value, annotation)
        if fault is not None:
            return fault
        for part in value if annotation.startswith("Sequence") else (value,):
            here = getattr(part, "device", None)
            device = device or here
            if here is not None and here != device:
                return ValueError(
                    f"{name} must be on the device of the graph and of all other arguments, "
                    f"{device}, got {here}."
                )
    return None


def _fault_of_type(name: str, value: Any, annotation: str) -> ValueError | TypeError | None:
    if value is None and annotation.endswith("None"):
        return None
    if annotation == "Sequence[Tensor]":
        if not isinstance(value, Sequence) or isinstance(value, str):
            return _wrong(name, "a sequence of tensors", value)
        faults = (_fault_of_tensor(name, part, floating=True) for part in value)
        return next((fault for fault in faults if fault is not None), None)
    kinds = _ALIASES.get(annotation, annotation).removesuffix(" | None").split(" | ")
    if "Tensor" in kinds and isinstance(value, Tensor):
        return _fault_of_tensor(name, value, not name.endswith(("rowptr", "col", "mask")))
    if "EdgeMask" in kinds:
        return _fault_of_mask(name, value)
    if len(kinds) == 1 and kinds[0] in _PLAIN:
        return _fault_of_number(name, value, kinds[0])
    expected = [_class_named(kind) for kind in kinds]
    known = tuple(kind for kind in expected if kind is not None)
    if len(known) < len(expected) or isinstance(value, known):
        return None
    words = "a tensor" if kinds == ["Tensor"] else " or ".join(kinds)
    return _wrong(name, words, value)


def _fault_of_number(name: str, value: Any, kind: str) -> ValueError | TypeError | None:
    words, classes = _PLAIN[kind]
    if not isinstance(value, classes) or (kind != "bool" and isinstance(value, bool)):
        return _wrong(name, words, value)
    if kind == "int" and isinstance(value, int) and not -(2**63) <= value < 2**63:
        return ValueError(f"{name} must fit in 64 bits, got {value}.")
    return None


def _fault_of_tensor(name: str, value: Any, floating: bool) -> ValueError | TypeError | None:
    if not isinstance(value, Tensor):
        return _wrong(name, "a tensor", value)
    if value.layout != torch.strided:
        return TypeError(f"{name} must be a dense tensor, got {value.layout}.")
    if floating and value.dtype not in FLOATING:
        return TypeError(
            f"{name} must be float32, float64, float16 or bfloat16, got {_short(value.dtype)}."
        )
    return None


def check_tensor(
    name: str, value: Any, device: torch.device | None = None, *, floating: bool = False
) -> None:
    """Raises unless `value` is a dense tensor, on `device` where one is given."""
    fault: Exception | None = _fault_of_tensor(name, value, floating)
    if fault is None and device is not None and value.device != device:
        fault = ValueError(f"{name} must be on {device}, got {value.device}.")
    if fault is not None:
        raise fault


def check_int(name: str, value: Any) -> None:
    """Raises unless `value` is an int of 64 bits."""
    fault = _fault_of_number(name, value, "int")
    if fault is not None:
        raise fault


def _fault_of_mask(name: str, value: Any) -> ValueError | TypeError | None:
    from sparsegnn.mask import Mask

    if value is None or isinstance(value, Mask):
        return None
    if not isinstance(value, Tensor):
        return _wrong(name, "a tensor, a Mask or None", value)
    fault = _fault_of_tensor(name, value, floating=False)
    if fault is not None or value.dtype == torch.bool or value.dtype in FLOATING:
        return fault
    return TypeError(f"{name} must be bool, floating point or a Mask, got {_short(value.dtype)}.")


def _class_named(name: str) -> type | None:
    import sparsegnn

    if name == "Tensor":
        return Tensor
    found = getattr(sparsegnn, name, None) if name.isidentifier() else None
    return found if isinstance(found, type) else None


def _wrong(name: str, expected: str, value: Any) -> TypeError:
    return TypeError(f"{name} must be {expected}, got {type(value).__name__}.")


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
