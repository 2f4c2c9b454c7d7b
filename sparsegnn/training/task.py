"""What a full-batch node classification run needs to know about its data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from sparsegnn.graph import Graph
from sparsegnn.sparse_matrix import SparseMatrix


class NodeTask(Protocol):
    """A graph with features, labels and a split; ``sparsegnn.data.NodeDataset`` is one.

    Shapes:
        - **graph** with N nodes, **x** ``[N, F]`` dense or sparse, **y** int64 ``[N]``,
          the three masks bool ``[N]``.
    """

    @property
    def graph(self) -> Graph:
        """The graph messages travel on."""

    @property
    def x(self) -> Tensor | SparseMatrix:
        """Node features, used as they are."""

    @property
    def y(self) -> Tensor:
        """Class of each node; read only where a mask is set."""

    @property
    def train_mask(self) -> Tensor:
        """Nodes the loss is taken over."""

    @property
    def val_mask(self) -> Tensor:
        """Nodes that choose the epoch."""

    @property
    def test_mask(self) -> Tensor:
        """Nodes that are only reported."""


@dataclass(frozen=True)
class Split:
    """Rows of one mask and their labels.

    Shapes:
        - **rows** int64 ``[R]``, **labels** int64 ``[R]``.
    """

    rows: Tensor
    labels: Tensor

    @classmethod
    def of(cls, data: NodeTask, name: str) -> Split:
        """Rows of ``data.<name>_mask``.

        Raises:
            ValueError: if the mask is not bool ``[N]``, is empty, or selects an unlabelled node.
        """
        mask: Tensor = getattr(data, f"{name}_mask")
        nodes = data.graph.num_nodes
        if mask.dtype != torch.bool or tuple(mask.shape) != (nodes,):
            raise ValueError(
                f"{name}_mask must be bool [{nodes}], got {mask.dtype} {list(mask.shape)}"
            )
        rows = mask.nonzero().squeeze(1)
        if rows.numel() == 0:
            raise ValueError(f"{name}_mask must select at least one node, got none")
        labels = data.y[rows]
        if int(labels.min()) < 0:
            raise ValueError(f"{name}_mask must select labelled nodes only, got label -1")
        return cls(rows, labels)
