"""Ticket to container and back: which tensors and which JSON document a ticket becomes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sparsegnn.mask import Mask
from sparsegnn.tickets import container
from sparsegnn.tickets.errors import TicketError

if TYPE_CHECKING:
    from sparsegnn.tickets.ticket import Ticket

_EDGE_MASK = "edge_mask"
_MASK = "weight_mask/"
_INIT = "init/"
_STATE = "state/"
_TEXTS = ("graph_fingerprint", "method")
_OBJECTS = ("config", "metrics", "weight_masks")
_NUMBERS = ("num_edges", "seed", "round")


def encode(ticket: Ticket) -> tuple[bytes, str]:
    """Returns the file's bytes and its SHA-256.

    Raises:
        TicketError: `config` or `metrics` are not JSON.
    """
    tensors = {_EDGE_MASK: ticket.edge_mask.packed.cpu().contiguous()}
    for key, mask in ticket.weight_masks.items():
        tensors[_MASK + key] = mask.packed.cpu().contiguous()
    tensors.update({_INIT + key: value for key, value in ticket.init_state.items()})
    tensors.update({_STATE + key: value for key, value in ticket.state.items()})
    document = {
        "config": ticket.config,
        "graph_fingerprint": ticket.graph_fingerprint,
        "method": ticket.method,
        "metrics": ticket.metrics,
        "num_edges": ticket.edge_mask.numel,
        "round": ticket.round,
        "seed": ticket.seed,
        "weight_masks": {key: list(mask.shape) for key, mask in ticket.weight_masks.items()},
    }
    return container.encode(tensors, _to_json(document))


def decode(path: Path) -> Ticket:
    """Reads a ticket file.

    Raises:
        OSError: The file cannot be read.
        TicketError: The file is refused; one sentence says why.
    """
    from sparsegnn.tickets.ticket import Ticket

    tensors, text = container.read(path)
    document = _check_document(path, text)
    edge_mask = _take_mask(path, tensors, _EDGE_MASK, [document["num_edges"]])
    weight_masks = {
        key: _take_mask(path, tensors, _MASK + key, shape)
        for key, shape in document["weight_masks"].items()
    }
    init_state = _take_prefix(tensors, _INIT)
    state = _take_prefix(tensors, _STATE)
    if tensors:
        raise TicketError(f"{path} is damaged: unknown tensor {min(tensors)!r}")
    try:
        return Ticket(
            edge_mask=edge_mask,
            weight_masks=weight_masks,
            init_state=init_state,
            state=state,
            graph_fingerprint=document["graph_fingerprint"],
            method=document["method"],
            config=document["config"],
            metrics=document["metrics"],
            seed=document["seed"],
            round=document["round"],
        )
    except TicketError as error:
        raise TicketError(f"{path} is damaged: {error}") from error


def _to_json(document: dict[str, Any]) -> str:
    try:
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
        same = container.strict_json(text) == document
    except (TypeError, ValueError, RecursionError) as error:
        raise TicketError(
            f"config and metrics must hold only JSON values (finite numbers): {error}"
        ) from error
    if not same:
        raise TicketError(
            "config and metrics must hold only JSON values: str keys, lists, no tuples"
        )
    return text


def _check_document(path: Path, text: str) -> dict[str, Any]:
    try:
        document = container.strict_json(text)
    except (ValueError, RecursionError) as error:
        raise TicketError(f"{path} is damaged: its ticket document is not valid JSON") from error
    expected = {*_TEXTS, *_OBJECTS, *_NUMBERS}
    if not isinstance(document, dict) or set(document) != expected:
        raise TicketError(f"{path} is damaged: its ticket document lacks or adds fields")
    typed = (
        all(isinstance(document[name], str) for name in _TEXTS)
        and all(isinstance(document[name], dict) for name in _OBJECTS)
        and all(type(document[name]) is int for name in _NUMBERS)
    )
    if not typed:
        raise TicketError(f"{path} is damaged: a field of its ticket document has a wrong type")
    shapes = [[document["num_edges"]], *document["weight_masks"].values()]
    if not all(_is_shape(shape) for shape in shapes):
        raise TicketError(f"{path} is damaged: a mask has a malformed shape")
    return document


def _is_shape(shape: Any) -> bool:
    return (
        isinstance(shape, list)
        and len(shape) <= 8
        and all(type(size) is int and 0 <= size < 1 << 62 for size in shape)
    )


def _take_mask(path: Path, tensors: dict[str, Tensor], name: str, shape: list[int]) -> Mask:
    packed = tensors.pop(name, None)
    numel = math.prod(shape)
    if packed is None or packed.dtype != torch.uint8 or list(packed.shape) != [(numel + 7) // 8]:
        raise TicketError(f"{path} is damaged: {name!r} does not hold {numel} packed bits")
    try:
        return Mask.from_packed(packed, tuple(shape))
    except ValueError as error:
        raise TicketError(f"{path} is damaged: {name!r}: {error}") from error


def _take_prefix(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    names = [name for name in tensors if name.startswith(prefix)]
    return {name[len(prefix) :]: tensors.pop(name) for name in names}
