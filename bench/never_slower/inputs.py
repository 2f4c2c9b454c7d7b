"""Graphs, features, models and masks of drawn cases."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bench.inputs import power_law
from bench.never_slower.drawing import Drawn


@dataclass(frozen=True)
class Inputs:
    """A case as tensors.

    Attributes:
        model: PyG's, in evaluation mode, with zeros at the pruned weights.
        x: float32 [N, F].
        edge_index: int64 [2, E].
        kept: bool [E], the edges that are not pruned.
    """

    model: nn.Module
    x: Tensor
    edge_index: Tensor
    kept: Tensor


def make(drawn: Drawn, seed: int) -> Inputs:
    """The tensors of a case, always the same for a seed."""
    torch.manual_seed(seed * 100_003 + drawn.index)
    edge_index = _edges(drawn, seed)
    x = torch.rand(drawn.nodes, drawn.inputs) - 0.3
    x = x * (torch.rand(x.shape) < drawn.density)
    model = _model(drawn)
    _prune(model, drawn)
    kept = torch.rand(edge_index.shape[1]) >= drawn.graph_sparsity
    return Inputs(model.eval().requires_grad_(False), x, edge_index, kept)


def _edges(drawn: Drawn, seed: int) -> Tensor:
    nodes = drawn.nodes
    if drawn.graph == "empty":
        return torch.empty(2, 0, dtype=torch.int64)
    if drawn.graph == "star":
        leaves = torch.arange(1, nodes)
        center = torch.zeros_like(leaves)
        return torch.stack([torch.cat([center, leaves]), torch.cat([leaves, center])])
    if drawn.graph == "dense":
        return (torch.rand(nodes, nodes) < 0.5).nonzero().t().contiguous()
    if drawn.graph == "regular":
        source = torch.randperm(nodes).repeat(drawn.degree)
        step = torch.arange(1, drawn.degree + 1).repeat_interleave(nodes)
        return torch.stack([source, (source + step) % nodes])
    return power_law(nodes, min(drawn.edges, nodes * nodes // 4), seed).edge_index


def _model(drawn: Drawn) -> nn.Module:
    """A model of PyG's with weights as they start, and statistics of its norms that are not."""
    import torch_geometric.nn as pyg

    sizes = (drawn.inputs, drawn.hidden, drawn.layers, drawn.classes)
    norm: dict[str, Any] = {"norm": drawn.norm or None}
    made: dict[str, Any] = {
        "gcn": lambda: pyg.GCN(*sizes, **norm),
        "gin": lambda: pyg.GIN(*sizes, **norm),
        "sage": lambda: pyg.GraphSAGE(*sizes, **norm, aggr=("mean", "max")[drawn.index % 3 == 0]),
        "gat": lambda: pyg.GAT(*sizes, **norm, heads=drawn.heads),
        "gatv2": lambda: pyg.GAT(*sizes, **norm, heads=drawn.heads, v2=True),
        "graph-conv": lambda: _graph_conv(drawn),
        "residual": lambda: Residual(drawn),
        "jk": lambda: pyg.GCN(*sizes, **norm, jk=("cat", "max")[drawn.index % 2]),
    }
    model: nn.Module = made[drawn.model]()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d) and module.running_mean is not None:
            module.running_mean.uniform_(-0.5, 0.5)
            assert module.running_var is not None
            module.running_var.uniform_(0.5, 2.0)
    return model


def _graph_conv(drawn: Drawn) -> nn.Module:
    import torch_geometric.nn as pyg

    widths = [drawn.inputs, *[drawn.hidden] * (drawn.layers - 1), drawn.classes]
    parts: list[Any] = []
    for before, after in itertools.pairwise(widths):
        parts += [(pyg.GraphConv(before, after), "x, edge_index -> x"), nn.ReLU()]
    return pyg.Sequential("x, edge_index", parts[:-1])


class Residual(nn.Module):
    """Blocks `h + relu(conv(norm(h)))` between two linear maps."""

    def __init__(self, drawn: Drawn) -> None:
        import torch_geometric.nn as pyg

        super().__init__()
        kind = (pyg.GCNConv, pyg.SAGEConv)[drawn.index // 8 % 2]
        width = drawn.hidden
        self.first = nn.Linear(drawn.inputs, width)
        self.convs = nn.ModuleList(kind(width, width) for _ in range(drawn.layers))
        self.norms = nn.ModuleList(
            nn.BatchNorm1d(width) if drawn.norm else nn.Identity() for _ in range(drawn.layers)
        )
        self.last = nn.Linear(width, drawn.classes)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Outputs [N, classes]."""
        h = self.first(x)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            h = h + conv(norm(h), edge_index).relu()
        out: Tensor = self.last(h)
        return out


def _prune(model: nn.Module, drawn: Drawn) -> None:
    """Zeros in every matrix, by the drawn share and pattern."""
    for parameter in model.parameters():
        if parameter.dim() == 2:
            with torch.no_grad():
                parameter.mul_(_mask(parameter, drawn))


def _mask(weight: Tensor, drawn: Drawn) -> Tensor:
    rows, columns = weight.shape
    if drawn.pattern == "rows":
        return (torch.rand(rows, 1) >= drawn.weight_sparsity).expand(rows, columns)
    block = (16, 32, 64)[drawn.index % 3]
    if drawn.pattern == "blocks" and rows % block == columns % block == 0:
        kept = torch.rand(rows // block, columns // block) >= drawn.weight_sparsity
        return kept.repeat_interleave(block, 0).repeat_interleave(block, 1)
    return torch.rand(rows, columns) >= drawn.weight_sparsity
