"""What is profiled: a model of PyG on a graph, whole and pruned."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sparsegnn.data import DataError
from sparsegnn.data.sources import find_content
from sparsegnn.graph import Graph
from sparsegnn.sparse_matrix import SparseMatrix
from sparsegnn.tickets import Ticket

KINDS = ("GCN", "GIN", "GraphSAGE", "GAT", "GATv2")


@dataclass(frozen=True)
class Data:
    """A graph with features and a number of classes."""

    name: str
    graph: Graph
    x: SparseMatrix
    num_classes: int


@dataclass(frozen=True)
class Subject:
    """A model of PyG in evaluation mode, on a whole graph.

    Attributes:
        title: The model in a few words.
        kind: One of `KINDS`.
        model: Nothing in it is pruned.
        data: The graph and its features.
    """

    title: str
    kind: str
    model: nn.Module
    data: Data


@dataclass(frozen=True)
class Pruned:
    """The model with zeros at pruned weights, and the edges that stay.

    Attributes:
        graph_sparsity: Share of edges that go.
        weight_sparsity: Share of the entries of pruned weight matrices that go.
        model: The model.
        edge_mask: bool `[E]`; None where every edge stays.
    """

    graph_sparsity: float
    weight_sparsity: float
    model: nn.Module
    edge_mask: Tensor | None


def load_data(name: str) -> Data:
    """Loads a dataset that has features and labels; a split is not needed.

    Raises:
        DataError: The name is unknown, it has none, or no source has it.
    """
    content, _ = find_content(name)
    if content.features is None or content.labels is None:
        raise DataError(f"dataset must have features and labels, got '{name}', which has not")
    edges = torch.from_numpy(content.edge_index)
    return Data(
        Path(name).stem if name.endswith(".npz") else name,
        Graph.from_edge_index(edges, num_nodes=content.num_nodes),
        SparseMatrix.from_scipy(content.features),
        int(content.labels.max(initial=0)) + 1,
    )


def make_subject(
    kind: str, data: Data, *, hidden: int = 512, layers: int = 2, heads: int = 8, seed: int = 0
) -> Subject:
    """A model of PyG by name, with the weights that it starts with.

    Args:
        kind: One of `KINDS`.
        data: What it runs on.
        hidden: Width of the hidden layers, all heads together.
        layers: Number of layers.
        heads: Attention heads of GAT and GATv2.
        seed: Of the weights.

    Raises:
        ValueError: The name is unknown, or a size does not fit.
    """
    if kind not in KINDS:
        raise ValueError(f"model must be one of {', '.join(KINDS)}, got {kind!r}")
    for name, value in (("hidden", hidden), ("layers", layers), ("heads", heads)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    options: dict[str, Any] = {}
    title = f"{kind} {layers} x {hidden}"
    if kind.startswith("GAT"):
        if hidden % heads != 0:
            raise ValueError(f"heads must divide hidden, got {heads} and {hidden}")
        options = {"heads": heads, "v2": kind == "GATv2"}
        title += f", {heads} heads"
    torch.manual_seed(seed)
    make = _class_of(kind)
    model: nn.Module = make(data.x.shape[1], hidden, layers, data.num_classes, **options)
    return Subject(title, kind, model.eval().requires_grad_(False), data)


def of_ticket(ticket: Ticket, data: Data) -> tuple[Subject, Pruned]:
    """The trained GCN of a ticket without its masks, and with them.

    Raises:
        ValueError: The graph is not the ticket's, or its weights are not those of a GCN.
    """
    ticket.verify(data.graph)
    model = _gcn_of(ticket)
    pruned = copy.deepcopy(model)
    with torch.no_grad():
        for key, mask in ticket.weight_masks.items():
            pruned.get_parameter(key).mul_(mask.to_bool())
    sparsity = ticket.sparsity()
    hidden, layers = model.hidden_channels, model.num_layers
    title = f"GCN {layers} x {hidden}, {ticket.method} ticket of round {ticket.round}"
    kept = ticket.edge_mask_for(data.graph).to_bool()
    shares = sparsity.edges.sparsity, sparsity.masked_weights.sparsity
    return Subject(title, "GCN", model, data), Pruned(*shares, pruned, kept)


def _gcn_of(ticket: Ticket) -> nn.Module:
    layers = sum(key.endswith("lin.weight") for key in ticket.state)
    names = [f"convs.{place}.lin.weight" for place in range(layers)]
    if not names or not ticket.state.keys() >= set(names):
        raise ValueError("ticket must hold the weights of a GCN, got other names")
    first, last = ticket.state[names[0]], ticket.state[names[-1]]
    sizes = first.shape[1], first.shape[0], layers, last.shape[0]
    model: nn.Module = _class_of("GCN")(*sizes, bias="convs.0.bias" in ticket.state)
    try:
        model.load_state_dict(ticket.state)
    except RuntimeError:
        raise ValueError("ticket must hold equal hidden layers, got other shapes") from None
    return model.eval().requires_grad_(False)


def _class_of(kind: str) -> Callable[..., Any]:
    import torch_geometric.nn as pyg

    found: Callable[..., Any] = getattr(pyg, "GAT" if kind == "GATv2" else kind)
    return found
