"""Graphs and data sets of the benchmarks, as plain tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class EdgeList:
    """Weighted arcs source -> target, sorted by (target, source); equal to itself only.

    Attributes:
        name: Where the graph comes from.
        edge_index: int64 [2, E].
        weight: float32 [E], uniform in [0, 1).
        num_nodes: Number of nodes.
    """

    name: str
    edge_index: Tensor
    weight: Tensor
    num_nodes: int

    def shuffled(self, seed: int = 0) -> EdgeList:
        """The same arcs in random order."""
        order = torch.randperm(self.weight.numel(), generator=torch.Generator().manual_seed(seed))
        return EdgeList(self.name, self.edge_index[:, order], self.weight[order], self.num_nodes)

    def scipy(self, dtype: type[np.floating] = np.float32) -> sp.csr_matrix:
        """CSR [targets, sources] with int32 indices."""
        source, target = self.edge_index.numpy()
        counts = np.bincount(target, minlength=self.num_nodes)
        pointers = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        shape = (self.num_nodes, self.num_nodes)
        values = self.weight.numpy().astype(dtype)
        return sp.csr_matrix((values, source.astype(np.int32), pointers), shape=shape)


@dataclass(frozen=True)
class NodeTask:
    """Node classification on one graph.

    Attributes:
        name: Name of the data set.
        edge_index: int64 [2, E], both directions, no self loop added.
        x: float32 CSR [N, D], rows of L1 norm 1.
        y: int64 [N].
        train_mask, val_mask, test_mask: bool [N].
        num_classes: Number of classes.
    """

    name: str
    edge_index: Tensor
    x: sp.csr_matrix
    y: Tensor
    train_mask: Tensor
    val_mask: Tensor
    test_mask: Tensor
    num_classes: int

    @property
    def num_nodes(self) -> int:
        """Number of nodes."""
        return int(self.x.shape[0])

    def dense_x(self) -> Tensor:
        """Features as a dense float32 [N, D]."""
        return torch.from_numpy(self.x.toarray())


def power_law(num_nodes: int, num_edges: int, seed: int = 0) -> EdgeList:
    """Distinct arcs whose end points follow a power law of exponent about 2.2, in random labels."""
    if num_edges > num_nodes * num_nodes // 4:
        raise ValueError(f"num_edges: expected at most num_nodes**2 / 4, got {num_edges}")
    rng = np.random.default_rng(seed)
    weight = (np.arange(num_nodes) + 10.0) ** -0.8
    cumulative = np.cumsum(rng.permutation(weight))
    keys = np.empty(0, dtype=np.int64)
    while keys.size < num_edges:
        ends = np.searchsorted(cumulative, rng.random((2, num_edges)) * cumulative[-1])
        ends = np.minimum(ends, num_nodes - 1)
        keys = np.unique(np.concatenate([keys, ends[0] * num_nodes + ends[1]]))
    keys = rng.permutation(keys)[:num_edges]
    name = f"power-law-{num_nodes}-{num_edges}"
    return weighted_arcs(name, keys // num_nodes, keys % num_nodes, num_nodes)


def weighted_arcs(
    name: str,
    source: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    target: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    num_nodes: int,
) -> EdgeList:
    """The arcs in their order by (target, source), with random weights."""
    order = np.lexsort((source, target))
    edge_index = torch.from_numpy(np.stack([source[order], target[order]]))
    weight = torch.rand(edge_index.shape[1], generator=torch.Generator().manual_seed(0))
    return EdgeList(name, edge_index, weight, num_nodes)


def node_task(name: str = "cora") -> NodeTask:
    """One of the package's data sets with row-normalised features."""
    from sparsegnn.data import load_dataset

    data = load_dataset(name)
    return NodeTask(
        name=name,
        edge_index=data.edge_index.to(torch.int64),
        x=_row_normalised(data.x.to_dense().numpy()),
        y=data.y,
        train_mask=data.train_mask,
        val_mask=data.val_mask,
        test_mask=data.test_mask,
        num_classes=data.num_classes,
    )


def _row_normalised(x: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> sp.csr_matrix:
    sums = np.abs(x).sum(axis=1, keepdims=True)
    return sp.csr_matrix((x / np.where(sums > 0, sums, 1)).astype(np.float32))


def distinct_rows(rows: int, width: int, generator: torch.Generator) -> torch.Tensor:
    """Nearly normal float32 numbers `[rows, width]`, no two of a row equal; at most 256 columns.

    Which of two equal entries is among the k largest is a matter of taste, and peers differ in it.
    """
    if width > 256:
        raise ValueError(f"width must be at most 256, got {width}.")
    coarse = (
        (torch.randn(rows, width, generator=generator) * 2**12).round().clamp(1 - 2**15, 2**15 - 1)
    )
    return coarse / 2**12 + torch.arange(width) / 2**21
