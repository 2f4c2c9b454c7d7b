"""A small planted-class graph, and models on it, shared by the pruning tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from sparsegnn.graph import Graph
from sparsegnn.nn import GCN
from sparsegnn.pruning import UGSConfig
from sparsegnn.sparse_matrix import SparseMatrix

CLASSES = 3


@dataclass(frozen=True)
class Task:
    graph: Graph
    x: Tensor | SparseMatrix
    y: Tensor
    train_mask: Tensor
    val_mask: Tensor
    test_mask: Tensor

    def with_(self, **changes: object) -> Task:
        return replace(self, **changes)


def small_task(nodes: int = 60, seed: int = 0, self_loops: int = 0) -> Task:
    """Edges mostly within a class, sparse features that hint at it."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(nodes) % CLASSES
    same = (y[:, None] == y[None, :]).float()
    draw = torch.rand(nodes, nodes, generator=generator)
    upper = torch.triu(draw < 0.03 + 0.12 * same, diagonal=1)
    source, target = upper.nonzero().t()
    loops = torch.arange(self_loops)
    edge_index = torch.stack(
        [torch.cat([source, target, loops]), torch.cat([target, source, loops])]
    )
    hint = torch.nn.functional.one_hot(y, CLASSES).repeat_interleave(4, dim=1).float()
    noise = torch.rand(nodes, 4 * CLASSES, generator=generator) < 0.2
    x = torch.clamp(hint * (torch.rand(hint.shape, generator=generator) < 0.5) + noise, max=1.0)
    part = torch.arange(nodes) % 4
    return Task(
        graph=Graph.from_edge_index(edge_index, num_nodes=nodes),
        x=SparseMatrix.from_dense(x),
        y=y,
        train_mask=part == 0,
        val_mask=part == 1,
        test_mask=part >= 2,
    )


def small_model(dropout: float = 0.5, hidden: int = 8) -> Callable[[], nn.Module]:
    return lambda: GCN(4 * CLASSES, hidden, 2, CLASSES, dropout=dropout, bias=False)


class Normed(nn.Module):
    """A GCN with biases, parameters that are not masked, and buffers."""

    def __init__(self):
        super().__init__()
        self.gcn = GCN(4 * CLASSES, 8, 2, CLASSES, dropout=0.2)
        self.norm = nn.BatchNorm1d(CLASSES)

    def forward(self, x, graph, edge_weight=None):
        return self.norm(self.gcn(x, graph, edge_weight))


def quick_config(**overrides: object) -> UGSConfig:
    settings: dict[str, object] = {"rounds": 3, "mask_epochs": 4, "train_epochs": 4, "lr": 0.02}
    return UGSConfig(**{**settings, **overrides})
