"""The model itself, as the program that a compiled one must equal and beat."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sparsegnn.compiler.features import FIXED, Features
from sparsegnn.graph import Graph
from sparsegnn.nn import unconverted


class DenseProgram(nn.Module):
    """The ordinary model with zeros at the pruned weights, on a graph and features bound to it.

    Sparse features are given to it as they are if it takes them. Layers that were not converted get
    an `edge_index`.

    Args:
        model: The model.
        graph: Its graph.
        x: Features [N, F].
        arguments: Further arguments of the model.
        nodes: int64, the rows of the result to return; None for all.
        fixed: Whether it takes no other features.
        as_given: The model is the user's own: it gets an `edge_index` and dense features.
    """

    def __init__(
        self,
        model: nn.Module,
        graph: Graph,
        x: Features,
        arguments: dict[str, Any] | None = None,
        nodes: Tensor | None = None,
        *,
        fixed: bool = False,
        as_given: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.arguments = arguments or {}
        self.nodes = nodes
        self.fixed = fixed
        plain = as_given or bool(unconverted(model))
        self._edges = graph.edge_index if plain else graph
        self._sparse = not as_given and not isinstance(x, Tensor) and self._takes(x)
        self.x = self._form(x)

    def forward(self, x: Features | None = None) -> Tensor:
        """The model's output for the bound features, or for x."""
        if x is not None and self.fixed:
            raise ValueError(FIXED)
        given = self.x if x is None else self._form(x)
        out: Tensor = self.model(given, self._edges, **self.arguments)
        if self.nodes is not None:
            return out[self.nodes]
        return out.clone() if out is given else out

    def _form(self, x: Features) -> Features:
        return x if self._sparse or isinstance(x, Tensor) else x.to_dense()

    def _takes(self, x: Features) -> bool:
        """Whether the model runs on sparse features; anything else refuses them by type."""
        try:
            with torch.inference_mode():
                self.model(x, self._edges, **self.arguments)
        except (TypeError, AttributeError):
            return False
        return True
