"""`NodeDataset`: one graph with features, labels and a split, checked once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sparsegnn.graph import Graph
from sparsegnn.sparse_matrix import SparseMatrix


@dataclass(frozen=True)
class NodeDataset:
    """A node-classification dataset.

    Attributes:
        name: What the dataset is called in reports.
        graph: N nodes, E directed edges.
        x: Raw features, float32 [N, F], sparse.
        y: Labels, int64 [N]; -1 for unlabelled nodes.
        train_mask: bool [N].
        val_mask: bool [N], disjoint from the others.
        test_mask: bool [N], disjoint from the others.
        num_classes: Labels are below it.
        source: Where the arrays came from.
        content_sha256: Hash of the canonical arrays; empty for data made in memory.

    Raises:
        ValueError: A shape or value does not fit; the message names the attribute.
        TypeError: A tensor has the wrong dtype.
    """

    name: str
    graph: Graph
    x: SparseMatrix
    y: Tensor
    train_mask: Tensor
    val_mask: Tensor
    test_mask: Tensor
    num_classes: int
    source: str = "memory"
    content_sha256: str = ""

    def __post_init__(self) -> None:
        if self.x.shape[0] != self.num_nodes:
            raise ValueError(f"x must have {self.num_nodes} rows, got {self.x.shape[0]}")
        if not bool(torch.isfinite(self.x.values).all()):
            raise ValueError("x must be finite, got NaN or infinity")
        self._check_vector("y", self.y, torch.int64)
        for name, mask in self._masks():
            self._check_vector(name, mask, torch.bool)
        self._check_masks()
        self._check_labels()

    def _masks(self) -> list[tuple[str, Tensor]]:
        return [
            ("train_mask", self.train_mask),
            ("val_mask", self.val_mask),
            ("test_mask", self.test_mask),
        ]

    def _check_vector(self, name: str, value: Tensor, dtype: torch.dtype) -> None:
        if value.dtype != dtype:
            raise TypeError(f"{name} must be {dtype}, got {value.dtype}")
        if tuple(value.shape) != (self.num_nodes,):
            raise ValueError(f"{name} must have shape ({self.num_nodes},), got {value.shape}")

    def _check_masks(self) -> None:
        total = torch.zeros(self.num_nodes, dtype=torch.int64)
        for name, mask in self._masks():
            if not bool(mask.any()):
                raise ValueError(f"{name} must keep at least one node, got none")
            total += mask
        if bool((total > 1).any()):
            node = int((total > 1).nonzero()[0])
            raise ValueError(f"the masks must be disjoint, but node {node} is in several")

    def _check_labels(self) -> None:
        if self.num_classes < 1:
            raise ValueError(f"num_classes must be >= 1, got {self.num_classes}")
        used = self.y[self.train_mask | self.val_mask | self.test_mask]
        if int(used.min()) < 0 or int(self.y.max()) >= self.num_classes:
            raise ValueError(
                f"y must be in [0, {self.num_classes}) wherever a mask is set, "
                f"got {int(used.min())} to {int(self.y.max())}"
            )

    @property
    def num_nodes(self) -> int:
        """N."""
        return self.graph.num_nodes

    @property
    def num_features(self) -> int:
        """F."""
        return self.x.shape[1]

    @property
    def edge_index(self) -> Tensor:
        """int64 [2, E], (source, target), in the order the graph was made with."""
        return self.graph.edge_index

    def row_normalized(self) -> NodeDataset:
        """Returns the dataset with every feature row divided by its L1 norm; zero rows stay."""
        pattern, values = self.x.pattern, self.x.values
        row = torch.repeat_interleave(
            torch.arange(pattern.num_dst), pattern.rowptr.diff().to(torch.int64)
        )
        norm = torch.zeros(pattern.num_dst, dtype=values.dtype).index_add_(0, row, values.abs())
        scale = torch.where(norm > 0, norm.reciprocal(), torch.zeros_like(norm))
        return replace(self, x=SparseMatrix(pattern, values * scale[row]))
