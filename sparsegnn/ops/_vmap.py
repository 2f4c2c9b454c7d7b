"""Batching rules of the native operators, for `torch.vmap`.

Operators that treat all columns, heads or rows alike take the batch as more of them, in one call.
The others, and calls in which more than those arguments is batched, run once per element. The
derivatives call the same operators, so backward passes can be batched, too.

Operators draw no random numbers: what drops is a function of their seed. A seed that is drawn
within `torch.vmap` follows its `randomness`; a given one drops the same in every element.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, NoReturn

import torch
from torch import Tensor

Result = tuple[Any, Any]
_PREFIX = "sparsegnn::"


class Fold(NamedTuple):
    """How a batch becomes more columns, heads or rows.

    Attributes:
        arguments: The dimension that the batch joins, of every argument that has it.
        out: That dimension of the results.
    """

    arguments: dict[str, int]
    out: int


FOLDS = {
    "spmm": Fold({"x": 1, "bias": 0, "residual": 1}, 1),
    "edge_scores": Fold({"dst": 1, "src": 1}, 1),
    "edge_sum": Fold({"values": 1}, 1),
    "edge_softmax": Fold({"scores": 1}, 1),
    "edge_softmax_grad": Fold({"softmax": 1, "grad": 1}, 1),
    "topk_rows": Fold({"x": 0}, 0),
    "sparse_linear": Fold({"x": 0}, 0),
    "block_linear": Fold({"x": 0}, 0),
}


def register() -> None:
    """Gives every operator of the library its rule; once, after the library is loaded."""
    for full_name in torch._C._dispatch_get_all_op_names():
        if not full_name.startswith(_PREFIX):
            continue
        name = full_name.removeprefix(_PREFIX)
        operator = getattr(torch.ops.sparsegnn, name).default
        rule: Callable[..., Result]
        if operator._schema.is_mutable:
            rule = partial(_refuse, name)
        else:
            rule = partial(_batched, operator, FOLDS.get(name))
        torch.library.register_vmap(full_name, rule)


def is_batched(tensor: Tensor) -> bool:
    """Whether a `torch.vmap` around the call batches the tensor."""
    return bool(torch._C._functorch.is_batchedtensor(tensor))


def needs_grad(*tensors: Tensor | None) -> bool:
    """Whether some tensor may require a gradient; a batched one does not tell, so it may."""
    return torch.is_grad_enabled() and any(
        tensor is not None and (tensor.requires_grad or is_batched(tensor)) for tensor in tensors
    )


def _refuse(name: str, *_: Any) -> NoReturn:
    raise RuntimeError(f"{name} must run outside of torch.vmap, got batched tensors.")


def _batched(
    operator: Any, fold: Fold | None, info: Any, in_dims: Sequence[Any], *arguments: Any
) -> Result:
    names = [argument.name for argument in operator._schema.arguments[: len(arguments)]]
    dims = dict(zip(names, in_dims, strict=True))
    given = dict(zip(names, arguments, strict=True))
    if fold is not None and _folds(fold, dims, given):
        return _in_one_call(operator, fold, info.batch_size, dims, given)
    return _one_by_one(operator, info.batch_size, in_dims, arguments)


def _folds(fold: Fold, dims: dict[str, Any], given: dict[str, Any]) -> bool:
    """Whether nothing else is batched, and elements do not depend on their position."""
    batched = {name for name, dim in dims.items() if dim is not None}
    return batched <= fold.arguments.keys() and given.get("dropout", 0.0) == 0.0


def _in_one_call(
    operator: Any, fold: Fold, size: int, dims: dict[str, Any], given: dict[str, Any]
) -> Result:
    joined = dict(given)
    for name, place in fold.arguments.items():
        if isinstance(given.get(name), Tensor):
            joined[name] = _join(given[name], dims[name], place, size)
    result = operator(*joined.values())
    if isinstance(result, Tensor):
        return _split(result, fold.out, size), fold.out
    return tuple(_split(part, fold.out, size) for part in result), (fold.out,) * len(result)


def _join(tensor: Tensor, dim: int | None, place: int, size: int) -> Tensor:
    """The batch, `size` times the same where there is none, in front of dimension `place`."""
    if dim is None:
        repeats = [-1] * tensor.dim()
        repeats.insert(place, size)
        batched = tensor.unsqueeze(place).expand(repeats)
    else:
        batched = tensor.movedim(dim, place)
    return batched.flatten(place, place + 1).contiguous()


def _split(tensor: Tensor, place: int, size: int) -> Tensor:
    batch: Tensor = tensor.unflatten(place, (size, tensor.shape[place] // size))
    return batch


def _one_by_one(operator: Any, size: int, in_dims: Sequence[Any], arguments: Any) -> Result:
    moved = [_batch_first(*pair) for pair in zip(arguments, in_dims, strict=True)]
    results = []
    for element in range(size):
        taken = (_take(*pair, element) for pair in zip(moved, in_dims, strict=True))
        results.append(operator(*taken))
    if isinstance(results[0], Tensor):
        return torch.stack(results), 0
    stacked = [torch.stack(parts) for parts in zip(*results, strict=True)]
    kind = type(results[0])
    return kind(stacked), kind([0] * len(stacked))


def _batch_first(value: Any, dim: Any) -> Any:
    if isinstance(value, Tensor) and dim is not None:
        return value.movedim(dim, 0).contiguous()
    if isinstance(dim, (list, tuple)):
        return [_batch_first(*pair) for pair in zip(value, dim, strict=True)]
    return value


def _take(value: Any, dim: Any, element: int) -> Any:
    if isinstance(dim, (list, tuple)):
        return [_take(*pair, element) for pair in zip(value, dim, strict=True)]
    return value if dim is None else value[element]
