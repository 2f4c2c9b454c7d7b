"""Training with the masks multiplied in, on PyG's layers: what training while sparse must equal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import sparsegnn as sg

NODES, EDGES, FEATURES, HIDDEN, CLASSES = 50, 220, 18, 24, 4
Losses = list[float]
MakeOptimizer = Callable[[Any], torch.optim.Optimizer]


def adam(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=0.02, weight_decay=5e-4)


def momentum(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.05, momentum=0.9, weight_decay=1e-3)


def pyg_model(kind: str, dropout: float = 0.0, layers: int = 2) -> nn.Module:
    import torch_geometric.nn as pyg

    options = {"heads": 3} if kind == "GAT" else {}
    model: nn.Module = getattr(pyg, kind)(
        FEATURES, HIDDEN, layers, CLASSES, dropout=dropout, **options
    )
    return model.double()


@dataclass
class Problem:
    """A graph with features, labels and masks."""

    graph: sg.Graph
    keep: Tensor
    x: Tensor
    y: Tensor
    masks: dict[str, Tensor]

    @staticmethod
    def of(model: nn.Module, density: float = 0.12) -> Problem:
        """Random masks for every matrix; sparse ones leave units without any reader."""
        source, target = torch.randint(NODES, (2, EDGES))
        edges = torch.stack([source, target])[:, source != target].unique(dim=1)
        graph = sg.Graph.from_edge_index(edges[:, torch.randperm(edges.shape[1])], NODES)
        x = torch.rand(NODES, FEATURES, dtype=torch.float64)
        masks = {
            name: torch.rand(parameter.shape) < density
            for name, parameter in model.named_parameters()
            if parameter.dim() == 2
        }
        keep = torch.rand(graph.num_edges) < 0.7
        x = x * (torch.rand(x.shape) < 0.3)
        return Problem(graph, keep, x, torch.randint(CLASSES, (NODES,)), masks)

    def masked_epochs(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, epochs: int
    ) -> Losses:
        """Plain dense training of PyG's model on the kept edges."""
        edge_index = self.graph.edge_index[:, self.keep]
        losses = []
        for _ in range(epochs):
            optimizer.zero_grad()
            masked = dict(self._masked(model))
            output = torch.func.functional_call(model, masked, (self.x, edge_index))
            losses.append(_step(output, self.y, optimizer))
        return losses

    def sparse_epochs(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, epochs: int, *, sparse_x: bool
    ) -> Losses:
        """The usual loop."""
        x = sg.SparseMatrix.from_dense(self.x) if sparse_x else self.x
        losses = []
        for _ in range(epochs):
            optimizer.zero_grad()
            losses.append(_step(model(x), self.y, optimizer))
        return losses

    def masked_state(self, model: nn.Module) -> dict[str, Tensor]:
        """The weights that a masked model computes with."""
        return {name: p.detach() for name, p in model.state_dict().items()} | {
            name: p.detach() for name, p in self._masked(model)
        }

    def _masked(self, model: nn.Module) -> Iterator[tuple[str, Tensor]]:
        for name, parameter in model.named_parameters():
            if name in self.masks:
                yield name, parameter * self.masks[name]


def _step(output: Tensor, y: Tensor, optimizer: torch.optim.Optimizer) -> float:
    loss = nn.functional.cross_entropy(output[::2], y[::2])
    loss.backward()
    optimizer.step()
    return float(loss.detach())
