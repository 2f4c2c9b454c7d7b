"""A compiled program: steps in a row, and the dense model that it must beat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from sparsegnn.graph import Graph
from sparsegnn.nn import GCN
from sparsegnn.tickets.features import FeatureInput, Features
from sparsegnn.tickets.steps import Aggregate, CsrMatrix, FusedHidden, Run, Step


class Program(nn.Module):
    """Steps over features that are bound at compile time; other features may be given.

    Args:
        inputs: Restricts given features to the live columns.
        features: What `inputs` makes of the bound features.
        steps: The operator calls in order.
    """

    def __init__(
        self, inputs: FeatureInput, features: CsrMatrix | Tensor, steps: list[Step]
    ) -> None:
        super().__init__()
        self.inputs = inputs
        if isinstance(features, Tensor):
            self.register_buffer("features", features, persistent=False)
        else:
            self.features = features
        self.steps = nn.ModuleList(steps)
        self._chain: tuple[Run, ...] = ()
        self._bind()

    def forward(self, x: Features | None = None) -> Tensor:
        """Logits [N, C] for the bound features, or for x."""
        h: Any = self.features if x is None else self.inputs(x)
        for run in self._chain:
            h = run(h)
        result: Tensor = h
        return result

    def _bind(self) -> None:
        self._chain = tuple(step.bind() for step in self.steps if isinstance(step, Step))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Program:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._bind()
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Leaves the bound functions out: a copy binds its own buffers."""
        return {**self.__dict__, "_chain": ()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._bind()

    @property
    def weight_bytes(self) -> int:
        """Memory of weights and biases, with their indices."""
        return _bytes(self.steps) - self.graph_bytes

    @property
    def graph_bytes(self) -> int:
        """Memory of the normalised adjacency."""
        steps = [step for step in self.steps if isinstance(step, Aggregate | FusedHidden)]
        matrices = {id(step.adjacency): step.adjacency for step in steps}
        return sum(_bytes(matrix) for matrix in matrices.values())


class DenseProgram(nn.Module):
    """The ordinary GCN with zeros at the pruned weights, on a graph and features bound to it."""

    def __init__(self, model: GCN, graph: Graph, x: Features) -> None:
        super().__init__()
        self.model = model
        self.graph = graph
        self.x = x

    def forward(self, x: Features | None = None) -> Tensor:
        """Logits [N, C] for the bound features, or for x."""
        return self.model(self.x if x is None else x, self.graph)  # type: ignore[no-any-return]


def _bytes(module: nn.Module) -> int:
    return sum(buffer.numel() * buffer.element_size() for buffer in module.buffers())
