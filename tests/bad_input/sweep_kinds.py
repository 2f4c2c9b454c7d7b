"""Corruptions of what only structured weights, mask updates and walks take."""

from typing import Any

import torch

import sparsegnn as sg

NAN = float("nan")


def no_tensor(tensor: torch.Tensor) -> dict[str, Any]:
    """The values as something that is no dense tensor on the CPU."""
    return {
        "meta device": tensor.to("meta"),
        "sparse layout": tensor.to_sparse(),
        "numpy": tensor.numpy(),
        "list": tensor.tolist(),
        "string": "x",
        "SparseMatrix": sg.SparseMatrix.from_dense(torch.eye(3)),
    }


def other_shape(tensor: torch.Tensor) -> dict[str, torch.Tensor]:
    """One dimension more, one less, one entry more, none."""
    return {
        "one dimension more": tensor.unsqueeze(-1),
        "one dimension less": tensor[0],
        "no dimension": tensor.reshape(-1)[0],
        "longer": torch.cat([tensor, tensor[:1]]),
        "empty": tensor[:0],
    }


def no_floats(tensor: torch.Tensor) -> dict[str, torch.Tensor]:
    """The values in types that hold no floating numbers of at least 16 bits."""
    kinds = (torch.int64, torch.uint8, torch.bool, torch.complex64, torch.float8_e4m3fn)
    return {str(kind): tensor.to(kind) for kind in kinds}


def strided(tensor: torch.Tensor) -> torch.Tensor:
    """The values as every second element of a larger tensor."""
    return torch.stack([tensor, tensor], -1)[..., 0]


def wrong_active(mask: torch.Tensor) -> dict[str, Any]:
    """What marks no weights as active."""
    types = {"float": mask.float(), "int64": mask.long(), "none": None}
    return {**no_tensor(mask), **other_shape(mask), **types}


def wrong_in_place(weight: torch.Tensor) -> dict[str, Any]:
    """What cannot be updated in place beside the others."""
    types = {"float64": weight.double(), "none": None, "strided": strided(weight)}
    return {**no_tensor(weight), **no_floats(weight), **other_shape(weight), **types}


def wrong_rank(score: torch.Tensor) -> dict[str, Any]:
    """What does not rank the weights."""
    types = {"float64": score.double()}
    return {**no_tensor(score), **no_floats(score), **other_shape(score), **types}


def wrong_state(state: list[torch.Tensor]) -> dict[str, Any]:
    """What is no list of an optimizer's tensors of the weight."""
    first = state[0]
    parts = {
        **no_tensor(first),
        **other_shape(first),
        "strided": strided(first),
    }
    return {
        **{name: [first, part] for name, part in parts.items()},
        "tensor alone": first,
        "none": None,
        "number": 3.0,
        "numbers": [1.0, 2.0],
    }


def wrong_exchanges(_: int) -> dict[str, Any]:
    """What is no number of weights."""
    return {
        "negative": -1,
        "too large": 10_000,
        "beyond int64": 2**70,
        "bool": True,
        "float": 3.0,
        "nan": NAN,
        "string": "3",
        "none": None,
    }


def wrong_samples(tensor: torch.Tensor) -> dict[str, Any]:
    """What is no matrix of these samples."""
    types = {"float64": tensor.double(), "none": None}
    return {**no_tensor(tensor), **no_floats(tensor), **other_shape(tensor), **types}


def wrong_heads(tensor: torch.Tensor) -> dict[str, Any]:
    """What are no rows of several heads."""
    more = {"one head more": torch.cat([tensor, tensor[:, :1]], 1), "none": None}
    return {**no_tensor(tensor), **no_floats(tensor), **other_shape(tensor), **more}


def wrong_temperature(t: torch.Tensor) -> dict[str, Any]:
    """What is neither a number nor a tensor of one or as many elements."""
    shapes = other_shape(t)
    del shapes["no dimension"], shapes["one dimension less"]
    types = {"none": None, "matrix of one": t[:1].unsqueeze(0)}
    return {**no_tensor(t), **no_floats(t), **shapes, **types}


def wrong_elsewhere(weight: torch.Tensor) -> dict[str, Any]:
    """No weight for tensor cores; one on the CPU is none either."""
    types = {**no_tensor(weight), **no_floats(weight), **other_shape(weight)}
    return {**types, "none": None, "on the CPU": weight.half()}


def wrong_square(_: Any) -> dict[str, Any]:
    """What is no graph to walk on."""
    bipartite = sg.Graph.from_edge_index(torch.tensor([[0], [1]]), num_src=2, num_dst=3)
    return {"bipartite": bipartite, "dense": torch.eye(3), "none": None, "string": "g"}


def wrong_nodes(start: torch.Tensor) -> dict[str, Any]:
    """What are no first nodes."""
    first = torch.zeros_like(start)
    first[0] = 1
    shapes = other_shape(start)
    del shapes["longer"], shapes["empty"]
    types = {"float": start.float(), "int32": start.int(), "bool": start > 0, "none": None}
    values = {"too large": start + 1000 * first, "negative": start - 1000 * first}
    return {**no_tensor(start), **shapes, **types, **values}


def wrong_length(_: int) -> dict[str, Any]:
    """What is no number of steps."""
    wrong = wrong_exchanges(0)
    del wrong["too large"]
    return wrong


def wrong_walk_seed(_: int) -> dict[str, Any]:
    """What seeds no walk."""
    return {"float": 0.5, "bool": True, "string": "1", "none": None, "tensor": torch.tensor(1)}


def wrong_times(time: torch.Tensor) -> dict[str, Any]:
    """What are no times of these edges."""
    values = {"NaN": time.masked_fill(time == time[0], NAN)}
    types = {"bool": time > 0, "complex": time.to(torch.complex64)}
    return {**no_tensor(time), **other_shape(time), **values, **types}


def wrong_weights(weight: torch.Tensor) -> dict[str, Any]:
    """What are no weights that edges can be drawn by."""
    bad = {"NaN": NAN, "infinite": float("inf"), "negative": -1.0}
    values = {name: weight.index_fill(0, torch.tensor([3]), value) for name, value in bad.items()}
    return {**no_tensor(weight), **no_floats(weight), **other_shape(weight), **values}


STRUCTURED_KINDS = {
    "active": wrong_active,
    "in place": wrong_in_place,
    "rank": wrong_rank,
    "state": wrong_state,
    "exchanges": wrong_exchanges,
    "group count": wrong_exchanges,
    "samples": wrong_samples,
    "heads": wrong_heads,
    "temperature": wrong_temperature,
    "weight elsewhere": wrong_elsewhere,
    "square graph": wrong_square,
    "nodes": wrong_nodes,
    "length": wrong_length,
    "walk seed": wrong_walk_seed,
    "times": wrong_times,
    "weights": wrong_weights,
}
