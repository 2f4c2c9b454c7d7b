"""Generalised graph convolution, the layer of deep residual networks."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from sparsegnn.graph import Graph
from sparsegnn.nn._errors import names_layer
from sparsegnn.nn._inputs import Ends, Features, GraphLike, Size, as_graph, both_ends
from sparsegnn.nn.edge_messages import edges_as_sources
from sparsegnn.nn.gen_aggregation import (
    PlainAggregation,
    PowerMeanAggregation,
    SoftmaxAggregation,
)
from sparsegnn.nn.message_norm import MessageNorm
from sparsegnn.nn.projection import Projection, project
from sparsegnn.nn.reset import reset
from sparsegnn.ops._edge_values import EdgeMask

_NORMS: dict[str, Any] = {
    "batch": nn.BatchNorm1d, "layer": nn.LayerNorm, "instance": nn.InstanceNorm1d,
}  # fmt: skip


class GENConv(nn.Module):
    """The layer of Li et al., DeeperGCN (arXiv 2006.07739), a drop-in for PyG's.

    `y_i = mlp(x_i + aggr_j (relu(x_j + e_ji) + eps))`, with PyG's arguments, results and state_dict
    keys. Nothing of size E x out_channels exists unless there are edge features, or the softmax is
    taken without its gradient ("softmax_sg"). The gradient of max and min goes to the first of
    equal messages; PyG divides it between them.

    Args:
        in_channels: Size of the input features, or of those of (sources, targets).
        out_channels: Size of the output features.
        aggr: "softmax", "softmax_sg", "powermean", "power", "add", "sum", "mean", "max" or "min".
        t: Inverse temperature of the softmax, or its start.
        learn_t: Whether t is learned.
        p: Power of the power mean, or its start.
        learn_p: Whether p is learned.
        msg_norm: Whether to scale what is aggregated to the length of the target's features.
        learn_msg_scale: Whether to learn a factor of that length.
        norm: Norm between the layers of the mlp: "batch", "layer", "instance" or None.
        num_layers: Number of linear layers of the mlp.
        expansion: Size of its hidden features over out_channels.
        eps: What is added to every message.
        bias: Whether linear maps have biases.
        edge_dim: Size of the edge features, where it is not out_channels.
        aggr_kwargs: Arguments of the aggregation, instead of those above.

    Shapes:
        x `[N, in]` or `([K, in], [M, in] or None)`, dense or, where in_channels is not out_channels
        and without msg_norm, `SparseMatrix`; graph a `Graph`, `edge_index [2, E]`, an `EdgeIndex`
        or the pattern of a torch CSR adjacency; edge_attr `[E, edge_dim]`; output `[M, out]`.
    """

    def __init__(
        self,
        in_channels: int | tuple[int, int],
        out_channels: int,
        aggr: str = "softmax",
        t: float = 1.0,
        learn_t: bool = False,
        p: float = 1.0,
        learn_p: bool = False,
        msg_norm: bool = False,
        learn_msg_scale: bool = False,
        norm: str | None = "batch",
        num_layers: int = 2,
        expansion: int = 2,
        eps: float = 1e-7,
        bias: bool = False,
        edge_dim: int | None = None,
        *,
        aggr_kwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        sizes = (in_channels, in_channels) if isinstance(in_channels, int) else in_channels
        if min(*sizes, out_channels, num_layers, expansion) < 1:
            raise ValueError(
                "in_channels, out_channels, num_layers and expansion must be positive, got "
                f"{in_channels}, {out_channels}, {num_layers} and {expansion}."
            )
        self.in_channels, self.out_channels, self.eps = in_channels, out_channels, eps
        semi_grad = aggr == "softmax_sg"
        self.aggr = {"softmax_sg": "softmax", "power": "powermean"}.get(aggr, aggr)
        options: dict[str, Any] = {"p": p, "learn": learn_p}
        if self.aggr == "softmax":
            options = {"t": t, "learn": learn_t, "semi_grad": semi_grad}
        self.aggr_module = _aggregation(self.aggr, aggr_kwargs or options)
        self.lin_src = _map(sizes[0], out_channels, bias)
        self.lin_edge = None if edge_dim is None else _map(edge_dim, out_channels, bias)
        self.lin_dst = _map(sizes[1], out_channels, bias)
        hidden = [out_channels * expansion] * (num_layers - 1)
        self.mlp = _mlp([out_channels, *hidden, out_channels], norm, bias)
        self.msg_norm = MessageNorm(learn_msg_scale) if msg_norm else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The start of `torch.nn.Linear` for linear maps; t, p, norms and scales as given."""
        for part in self.children():
            reset(part)

    @names_layer
    def forward(
        self,
        x: Features | Ends,
        edge_index: GraphLike,
        edge_attr: Tensor | None = None,
        size: Size = None,
        *,
        edge_mask: EdgeMask = None,
    ) -> Tensor:
        """Computes the convolution of x over the graph.

        Args:
            x: Features of the nodes, or of (sources, targets).
            edge_index: The graph.
            edge_attr: `[E, edge_dim]` features of the edges.
            size: Numbers of (sources, targets), where x does not tell.
            edge_mask: bool `[E]` or `Mask`: a dropped edge is absent.
        """
        channels = self.in_channels
        sizes = (channels, channels) if isinstance(channels, int) else channels
        source, target = both_ends(x, sizes)
        graph, _ = as_graph(edge_index, (source, target), size)
        messages = _dense(source if self.lin_src is None else project(self.lin_src, source))
        given = messages if target is None else target
        if edge_attr is not None:
            messages = messages[graph.edge_index[0]] + self._edge_features(graph, edge_attr)
            graph = edges_as_sources(graph)
        out: Tensor = self.aggr_module(graph, messages, self.eps, edge_mask)
        if self.msg_norm is not None:
            out = self.msg_norm(_dense(given), out)
        if target is not None:
            out = out + _dense(target if self.lin_dst is None else project(self.lin_dst, target))
        result: Tensor = self.mlp(out)
        return result

    def _edge_features(self, graph: Graph, edge_attr: Tensor) -> Tensor:
        width = self.out_channels if self.lin_edge is None else None
        wrong_width = width is not None and edge_attr.shape[-1] != width
        if edge_attr.dim() != 2 or edge_attr.shape[0] != graph.num_edges or wrong_width:
            raise ValueError(
                f"edge_attr must have shape [{graph.num_edges}, {width or 'edge_dim'}], got "
                f"{list(edge_attr.shape)}."
            )
        return edge_attr if self.lin_edge is None else project(self.lin_edge, edge_attr)

    def extra_repr(self) -> str:
        """The channels and the aggregation, as PyG prints them."""
        return f"{self.in_channels}, {self.out_channels}, aggr={self.aggr}"


def _aggregation(aggr: str, options: dict[str, Any]) -> nn.Module:
    if aggr == "softmax":
        return SoftmaxAggregation(**options)
    if aggr == "powermean":
        return PowerMeanAggregation(**options)
    return PlainAggregation(aggr)


def _map(in_channels: int, out_channels: int, bias: bool) -> Projection | None:
    """A linear map, where the sizes differ."""
    return None if in_channels == out_channels else Projection(in_channels, out_channels, bias)


def _mlp(sizes: list[int], norm: str | None, bias: bool) -> nn.Sequential:
    if norm is not None and norm not in _NORMS:
        raise ValueError(f"norm must be 'batch', 'layer', 'instance' or None, got {norm!r}.")
    layers: list[nn.Module] = []
    for position in range(1, len(sizes)):
        layers.append(nn.Linear(sizes[position - 1], sizes[position], bias=bias))
        if position == len(sizes) - 1:
            break
        if norm is not None:
            layers.append(_NORMS[norm](sizes[position]))
        layers += [nn.ReLU(), nn.Dropout(0.0)]
    return nn.Sequential(*layers)


def _dense(x: Features) -> Tensor:
    if isinstance(x, Tensor) and x.dim() == 2:
        return x
    if isinstance(x, Tensor):
        raise ValueError(f"x must have shape [N, in_channels], got {list(x.shape)}.")
    raise TypeError(
        "x must be a dense tensor where it is not mapped from in_channels to other out_channels, "
        "got SparseMatrix."
    )
