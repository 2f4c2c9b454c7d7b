"""Building a network, one operation at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.errors import Unsupported
from sparsegnn.compiler.graph_ops import Aggregate
from sparsegnn.compiler.network import Network, Operation
from sparsegnn.compiler.row_ops import Activation, Add, Bias, Linear, Opaque, Scale
from sparsegnn.graph import Graph


@dataclass(frozen=True)
class Value:
    """A value of a network in the making: `[N, width]`, known by its number."""

    number: int
    width: int


class Builder:
    """Appends operations to a network over one graph.

    Args:
        network: Appended to.
        graph: What the model is called with.
        dtype: Dtype of the features.

    Attributes:
        inline: Appends what a module computes from one value.
    """

    def __init__(self, network: Network, graph: Graph, dtype: torch.dtype) -> None:
        self.network = network
        self.graph = graph
        self.dtype = dtype
        self._widths = {0: network.input_width}
        self.inline: Callable[[nn.Module, Value, str], Value]
        self._graphs: dict[int, tuple[Tensor, Graph]] = {}
        self._matrices: dict[tuple[Any, ...], tuple[Any, CsrMatrix]] = {}

    def value(self, number: int) -> Value:
        """The value of that number."""
        return Value(number, self._widths[number])

    def add(self, operation: Operation) -> Value:
        """Appends any operation."""
        number = self.network.add(operation)
        self._widths[number] = operation.width([self._widths[i] for i in operation.inputs])
        return self.value(number)

    def linear(self, x: Value, weight: Tensor, bias: Tensor | None, where: str) -> Value:
        """`x W^T + b`."""
        if weight.shape[1] != x.width:
            raise ValueError(
                f"{where or 'a linear map'} must take {weight.shape[1]} features, got {x.width}."
            )
        return self.bias(self.add(Linear((x.number,), where, weight=weight.detach())), bias, where)

    def bias(self, x: Value, bias: Tensor | None, where: str) -> Value:
        """`x + b`; x itself without a bias."""
        if bias is None:
            return x
        return self.add(Bias((x.number,), where, bias=bias.detach()))

    def scale(self, x: Value, scale: Tensor, where: str) -> Value:
        """`x * s`."""
        return self.add(Scale((x.number,), where, scale=scale.detach()))

    def activation(self, x: Value, name: str, options: dict[str, Any], where: str) -> Value:
        """An elementwise function."""
        return self.add(Activation((x.number,), where, name=name, options=options))

    def sum(self, a: Value, b: Value, where: str) -> Value:
        """`a + b`."""
        return self.add(Add((a.number, b.number), where))

    def aggregate(self, x: Value, matrix: CsrMatrix, where: str) -> Value:
        """`A x`."""
        return self.add(Aggregate((x.number,), where, matrix=matrix))

    def opaque(
        self, call: Callable[..., Tensor], inputs: list[Value], where: str, *, by_row: bool = False
    ) -> Value:
        """Any function of values; what it gives is found out by calling it on zeros."""
        rows = self.graph.num_nodes
        zeros = [torch.zeros(rows, x.width, dtype=self.dtype, device=self.device) for x in inputs]
        with torch.no_grad():
            out = call(*zeros)
        if not isinstance(out, Tensor) or out.dim() != 2 or out.shape[0] != rows:
            shape = list(out.shape) if isinstance(out, Tensor) else type(out).__name__
            raise Unsupported(f"{where} gives {shape}, not a row per node")
        numbers = tuple(x.number for x in inputs)
        channels = out.shape[1]
        return self.add(Opaque(numbers, where, call=call, channels=channels, by_row=by_row))

    def graph_of(self, edge_index: Tensor) -> Graph:
        """The graph of an `edge_index` that the model made itself, or of a torch CSR."""
        known = self._graphs.get(id(edge_index))
        if known is None:
            if edge_index.layout == torch.sparse_csr:
                made = Graph.from_torch_csr(edge_index)
            else:
                made = Graph.from_edge_index(edge_index, num_nodes=self.graph.num_nodes)
            known = self._graphs[id(edge_index)] = (edge_index, made)
        return known[1]

    def matrix(self, key: tuple[Any, ...], owner: Any, make: Callable[[], CsrMatrix]) -> CsrMatrix:
        """A matrix, made once per key; `owner` is kept alive, as keys hold its id."""
        if key not in self._matrices:
            self._matrices[key] = (owner, make())
        return self._matrices[key][1]

    @property
    def device(self) -> torch.device:
        """Where the graph is."""
        return self.graph.device
