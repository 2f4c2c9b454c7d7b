"""Graphs made of edge lists, remembered as long as the edge list exists.

The layers of a model are called with the same `edge_index`, epoch after epoch; a sort for each call
would cost more than the convolution.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from sparsegnn.graph import Graph

Sizes = tuple[int, int]


class _Entry(NamedTuple):
    sizes: Sizes
    indices: tuple[Tensor, ...]
    graph: Graph


_entries = WeakTensorKeyDictionary()


def remembered_graph(
    key: Tensor, indices: tuple[Tensor, ...], sizes: Sizes, build: Callable[[], Graph]
) -> Graph:
    """The graph that `build` makes of the indices; made once while the tensor `key` exists.

    The indices are compared with a copy of those that the graph was made of, so that a change in
    place is seen whatever made it. That reads 16 bytes an edge, little beside any convolution.
    """
    entry: _Entry | None = _entries.get(key)
    if entry is not None and entry.sizes == sizes and _same(entry.indices, indices):
        return entry.graph
    graph = build()
    with torch.inference_mode(False):
        copies = tuple(index.detach().clone() for index in indices)
        _entries[key] = _Entry(sizes, copies, graph)
    return graph


def _same(known: tuple[Tensor, ...], given: tuple[Tensor, ...]) -> bool:
    return all(
        a.device == b.device and a.dtype == b.dtype and torch.equal(a, b)
        for a, b in zip(known, given, strict=True)
    )
