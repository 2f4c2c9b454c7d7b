"""The model itself, as the program that a compiled one must equal and beat."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from sparsegnn.compiler.features import Features
from sparsegnn.graph import Graph
from sparsegnn.nn import GCN


class DenseProgram(nn.Module):
    """The ordinary model with zeros at the pruned weights, on a graph and features bound to it."""

    def __init__(
        self, model: nn.Module, graph: Graph, x: Features, arguments: dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.model = model
        self.graph = graph
        self.x = x if isinstance(model, GCN) or isinstance(x, Tensor) else x.to_dense()
        self._edges = graph.edge_index if _is_pyg(model) else graph
        self.arguments = arguments or {}

    def forward(self, x: Features | None = None) -> Tensor:
        """The model's output for the bound features, or for x."""
        given = self.x if x is None else x
        return self.model(given, self._edges, **self.arguments)  # type: ignore[no-any-return]


def _is_pyg(model: nn.Module) -> bool:
    from torch_geometric.nn import MessagePassing

    return any(isinstance(module, MessagePassing) for module in model.modules())
