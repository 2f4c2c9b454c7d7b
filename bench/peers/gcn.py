"""A two-layer GCN without bias, by PyG's layers and by `torch.sparse`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from bench.inputs import NodeTask
from bench.peers.aggregate import to_torch_csr

Forward = Callable[[], Tensor]


@dataclass(frozen=True)
class GcnWeights:
    """Weights [out, in] of both layers."""

    first: Tensor
    second: Tensor

    @classmethod
    def random(cls, task: NodeTask, hidden: int = 512, seed: int = 0) -> GcnWeights:
        """Uniform in +-1/sqrt(fan in), the default of `torch.nn.Linear`."""
        generator = torch.Generator().manual_seed(seed)
        shapes = ((hidden, int(task.x.shape[1])), (task.num_classes, hidden))
        first, second = (
            (2.0 * torch.rand(shape, generator=generator) - 1.0) / shape[1] ** 0.5
            for shape in shapes
        )
        return cls(first, second)


@dataclass(frozen=True)
class Training:
    """What a training step does beside the layers."""

    lr: float = 0.008
    weight_decay: float = 8e-5
    dropout: float = 0.5


def normalised_adjacency(
    edge_index: Tensor, num_nodes: int, dtype: type[np.floating] = np.float32
) -> sp.csr_matrix:
    """D^-1/2 (A + I) D^-1/2 as CSR [targets, sources]; existing self loops stay single."""
    source, target = edge_index.numpy()
    plain = source != target
    ones = np.ones(int(plain.sum()), dtype=np.float64)
    shape = (num_nodes, num_nodes)
    adjacency = sp.coo_matrix((ones, (target[plain], source[plain])), shape=shape).tocsr()
    adjacency = adjacency + sp.eye(num_nodes, format="csr")
    scale = sp.diags(np.asarray(adjacency.sum(axis=1)).ravel() ** -0.5)
    return (scale @ adjacency @ scale).tocsr().astype(dtype)


class PygGcn(torch.nn.Module):
    """PyG's `GCNConv` twice, as its examples use it: dense features, an edge index, no cache."""

    def __init__(self, weights: GcnWeights, dropout: float = 0.5) -> None:
        from torch_geometric.nn import GCNConv

        super().__init__()
        hidden, features = weights.first.shape
        self.first: Any = GCNConv(features, hidden, bias=False)
        self.second: Any = GCNConv(hidden, weights.second.shape[0], bias=False)
        self.dropout = dropout
        with torch.no_grad():
            self.first.lin.weight.copy_(weights.first)
            self.second.lin.weight.copy_(weights.second)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Logits [N, classes]."""
        hidden = self.first(x, edge_index).relu()
        hidden = torch.nn.functional.dropout(hidden, self.dropout, self.training)
        logits: Tensor = self.second(hidden, edge_index)
        return logits


class _SparseProduct(torch.autograd.Function):
    """matrix @ dense whose backward uses a transpose made once."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, transposed: Tensor, dense: Tensor) -> Tensor:
        ctx.transposed = transposed
        return matrix @ dense

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[None, None, Tensor]:
        return None, None, ctx.transposed @ upstream[0]


class CompositeGcn(torch.nn.Module):
    """The same network as an expert writes it with `torch.sparse`.

    Features and normalised adjacency are CSR, both transposes are made once, every layer
    multiplies by its weight before it aggregates.
    """

    def __init__(
        self, task: NodeTask, edge_index: Tensor, weights: GcnWeights, index: torch.dtype
    ) -> None:
        super().__init__()
        adjacency = normalised_adjacency(edge_index, task.num_nodes)
        self.adjacency = to_torch_csr(adjacency, index)
        self.adjacency_t = to_torch_csr(adjacency.T.tocsr(), index)
        self.x = to_torch_csr(task.x, index)
        self.x_t = to_torch_csr(task.x.T.tocsr(), index)
        self.first = torch.nn.Parameter(weights.first.t().contiguous())
        self.second = torch.nn.Parameter(weights.second.t().contiguous())
        self.dropout = 0.5

    def forward(self) -> Tensor:
        """Logits [N, classes]."""
        hidden = self._propagate(_product(self.x, self.x_t, self.first)).relu()
        hidden = torch.nn.functional.dropout(hidden, self.dropout, self.training)
        return self._propagate(hidden @ self.second)

    def _propagate(self, dense: Tensor) -> Tensor:
        return _product(self.adjacency, self.adjacency_t, dense)


def _product(matrix: Tensor, transposed: Tensor, dense: Tensor) -> Tensor:
    if not dense.requires_grad:
        return matrix @ dense
    y: Tensor = _SparseProduct.apply(matrix, transposed, dense)  # type: ignore[no-untyped-call]
    return y


def inference(module: torch.nn.Module, *inputs: object) -> Forward:
    """A forward pass in evaluation mode without gradients.

    The mode is set before every call because other alternatives may share the module.
    """

    def run() -> Tensor:
        module.eval()
        with torch.inference_mode():
            logits: Tensor = module(*inputs)
        return logits

    return run


def training_step(
    module: torch.nn.Module, task: NodeTask, *inputs: object, settings: Training | None = None
) -> Forward:
    """Forward with dropout, loss on the training nodes, backward, fused Adam; gives the loss."""
    settings = settings or Training()
    optimizer = torch.optim.Adam(
        module.parameters(), lr=settings.lr, weight_decay=settings.weight_decay, fused=True
    )
    labels = task.y[task.train_mask]

    def run() -> Tensor:
        module.train()
        optimizer.zero_grad()
        logits = module(*inputs)
        loss = torch.nn.functional.cross_entropy(logits[task.train_mask], labels)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return run
