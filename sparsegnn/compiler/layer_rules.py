"""What the graph layers mean as operations. Those of PyG are converted to ours before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from sparsegnn import nn as sg
from sparsegnn.compiler.builder import Builder, Value
from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.graph_ops import Attend, AttendV2, Extreme, Heads, SoftmaxMean
from sparsegnn.compiler.row_ops import HeadMean, Power
from sparsegnn.graph import Graph
from sparsegnn.nn.attention import with_one_loop_each
from sparsegnn.nn.stack import Fused

Rule = Callable[..., Value]


class NotCovered(Exception):
    """A layer is called in a way that has no rule."""


def is_layer(module: nn.Module) -> bool:
    """Whether a module is one that is not traced into."""
    from torch_geometric import nn as pyg

    if isinstance(module, pyg.JumpingKnowledge):
        return bool(module.mode != "cat")
    norms = pyg.LayerNorm | pyg.GraphNorm | pyg.PairNorm | pyg.InstanceNorm | pyg.MessageNorm
    if type(module) is pyg.Linear:
        return True
    return isinstance(module, pyg.MessagePassing | norms) or is_ours(module)


def is_ours(module: nn.Module) -> bool:
    """Whether a module is a layer of this package."""
    return type(module).__module__.startswith("sparsegnn.") and not isinstance(module, Fused)


def graph_argument(graph: Graph, layer: nn.Module | None) -> Graph | Tensor:
    """How a layer without a rule takes the graph."""
    return graph if layer is not None and is_ours(layer) else graph.edge_index


def _gcn_stack(
    build: Builder, model: Any, where: str, x: Value, edge_index: Any, edge_weight: Any = None
) -> Value:
    last = len(model.convs) - 1
    for index, conv in enumerate(model.convs):
        path = f"{where}.convs.{index}".lstrip(".")
        x = _gcn(build, conv, path, x, edge_index, edge_weight)
        if index < last:
            x = build.activation(x, "relu", {}, path)
    return x


def _gcn(
    build: Builder, conv: Any, where: str, x: Any, edge_index: Any, edge_weight: Any = None
) -> Value:
    graph = _graph(build, edge_index)
    options = (conv.normalize, conv.add_self_loops, conv.improved)
    key = ("gcn", id(graph), id(edge_weight), *options)

    def make() -> CsrMatrix:
        values = edge_weight
        looped = graph
        if conv.normalize:
            looped, values = sg.gcn_norm(
                graph,
                edge_weight,
                improved=conv.improved,
                add_self_loops=conv.add_self_loops,
                dtype=build.dtype,
            )
        return _matrix(build, looped, values)

    matrix = build.matrix(key, (graph, edge_weight), make)
    projected = build.linear(_only(x), conv.lin.weight, None, where)
    return build.bias(build.aggregate(projected, matrix, where), conv.bias, where)


def _sage(
    build: Builder, conv: Any, where: str, x: Any, edge_index: Any, size: Any = None
) -> Value:
    _require(size is None)
    source = root = _only(x)
    if conv.project:
        projected = build.linear(source, conv.lin.weight, conv.lin.bias, where)
        source = build.activation(projected, "relu", {}, where)
    gathered = _gathered(build, conv.aggr, source, _graph(build, edge_index), None, where)
    out = build.linear(gathered, conv.lin_l.weight, conv.lin_l.bias, where)
    if conv.root_weight:
        own = build.linear(root, conv.lin_r.weight, None, where)
        out = build.sum(out, own, where)
    return build.opaque(_normalized, [out], where, by_row=True) if conv.normalize else out


def _graph_conv(
    build: Builder,
    conv: Any,
    where: str,
    x: Any,
    edge_index: Any,
    edge_weight: Any = None,
    size: Any = None,
) -> Value:
    _require(size is None)
    source, graph = _only(x), _graph(build, edge_index)
    gathered = _gathered(build, conv.aggr, source, graph, edge_weight, where)
    out = build.linear(gathered, conv.lin_rel.weight, conv.lin_rel.bias, where)
    own = build.linear(source, conv.lin_root.weight, None, where)
    return build.sum(out, own, where)


def _gen(
    build: Builder,
    conv: Any,
    where: str,
    x: Any,
    edge_index: Any,
    edge_attr: Any = None,
    size: Any = None,
) -> Value:
    _require(edge_attr is None and size is None and conv.msg_norm is None)
    source, graph = _only(x), _graph(build, edge_index)
    messages = target = source
    if conv.lin_src is not None:
        messages = build.linear(source, conv.lin_src.weight, conv.lin_src.bias, where)
    if conv.lin_dst is not None:
        target = build.linear(source, conv.lin_dst.weight, conv.lin_dst.bias, where)
    gathered = _gen_gathered(build, conv, messages, graph, where)
    return build.inline(conv.mlp, build.sum(gathered, target, where), f"{where}.mlp")


def _gen_gathered(build: Builder, conv: Any, x: Value, graph: Graph, where: str) -> Value:
    mean = conv.aggr_module
    if conv.aggr != "softmax":
        shift = torch.full((x.width,), conv.eps, dtype=build.dtype, device=build.device)
        messages = build.bias(build.activation(x, "relu", {}, where), shift, where)
        if conv.aggr == "powermean":
            return _power_mean(build, mean, messages, graph, where)
        return _gathered(build, conv.aggr, messages, graph, None, where)
    _require(not mean.semi_grad)
    matrix = build.matrix(
        ("plain", id(graph), id(None)), graph, lambda: _matrix(build, graph, None)
    )
    t = torch.as_tensor(mean.t, dtype=build.dtype, device=build.device).detach().reshape(-1)
    return build.add(SoftmaxMean((x.number,), where, matrix=matrix, t=t, eps=conv.eps))


def _power_mean(build: Builder, mean: Any, messages: Value, graph: Graph, where: str) -> Value:
    if not isinstance(mean.p, Tensor) and mean.p == 1:
        return _gathered(build, "mean", messages, graph, None, where)
    p = torch.as_tensor(mean.p, dtype=build.dtype, device=build.device).detach().reshape(-1)
    bounds = {"low": mean.min_value, "high": mean.max_value}
    powers = build.add(Power((messages.number,), where, power=p, **bounds))
    means = _gathered(build, "mean", powers, graph, None, where)
    return build.add(Power((means.number,), where, power=1.0 / p, **bounds))


def _gathered(
    build: Builder, aggr: Any, x: Value, graph: Graph, weight: Tensor | None, where: str
) -> Value:
    """What `aggr` makes of the messages into every node."""
    _require(aggr in ("mean", "sum", "add", "max", "min"))
    key, owner = (id(graph), id(weight)), (graph, weight)
    if aggr in ("max", "min"):
        matrix = build.matrix(("plain", *key), owner, lambda: _matrix(build, graph, weight))
        options = {"weighted": weight is not None, "smallest": aggr == "min"}
        return build.add(Extreme((x.number,), where, matrix=matrix, **options))
    mean = aggr == "mean"
    rows = build.matrix(("rows", *key, mean), owner, lambda: _rows(build, graph, weight, mean))
    return build.aggregate(x, rows, where)


def _gin(build: Builder, conv: Any, where: str, x: Any, edge_index: Any, size: Any = None) -> Value:
    _require(size is None and conv.aggr in ("add", "sum"))
    graph, own = _graph(build, edge_index), 1.0 + float(conv.eps)
    matrix = build.matrix(("gin", id(graph), own), graph, lambda: _with_own(build, graph, own))
    gathered = build.aggregate(_only(x), matrix, where)
    return build.inline(conv.nn, gathered, f"{where}.nn")


def _normalized(h: Tensor) -> Tensor:
    return nn.functional.normalize(h, p=2.0, dim=-1)


def _rows(build: Builder, graph: Graph, weight: Tensor | None, mean: bool) -> CsrMatrix:
    """A row sums its messages or averages them; without weights kernels read a number a row."""
    if not mean:
        return _matrix(build, graph, weight)
    share = graph.in_degree().clamp(min=1).to(build.dtype).reciprocal()
    by_edge = share[graph.edge_index[1]]
    if weight is not None:
        return _matrix(build, graph, weight * by_edge)
    matrix = _matrix(build, graph, by_edge)
    matrix.row_scale = share
    return matrix


def _with_own(build: Builder, graph: Graph, own: float) -> CsrMatrix:
    """`A + own * I`; loops that are there already stay beside the new ones."""
    nodes = torch.arange(graph.num_nodes, device=graph.device)
    edges = torch.cat([graph.edge_index, nodes.expand(2, -1)], dim=1)
    values = torch.ones(edges.shape[1], dtype=build.dtype, device=graph.device)
    values[graph.num_edges :] = own
    return _matrix(build, Graph.from_edge_index(edges, num_nodes=graph.num_nodes), values)


def _gat(
    build: Builder,
    conv: Any,
    where: str,
    x: Any,
    edge_index: Any,
    edge_attr: Any = None,
    size: Any = None,
    return_attention_weights: Any = None,
) -> Value:
    _require(edge_attr is None and size is None and return_attention_weights is None)
    _require(conv.lin is not None)
    projected = build.linear(_only(x), conv.lin.weight, None, where)
    return _attended(build, conv, where, x, edge_index, Attend, [projected])


def _gatv2(
    build: Builder,
    conv: Any,
    where: str,
    x: Any,
    edge_index: Any,
    edge_attr: Any = None,
    return_attention_weights: Any = None,
) -> Value:
    _require(edge_attr is None and return_attention_weights is None)
    left = right = build.linear(_only(x), conv.lin_l.weight, conv.lin_l.bias, where)
    if conv.lin_r is not conv.lin_l:
        right = build.linear(x, conv.lin_r.weight, conv.lin_r.bias, where)
    return _attended(build, conv, where, x, edge_index, AttendV2, [left, right])


def _attended(
    build: Builder,
    conv: Any,
    where: str,
    x: Value,
    edge_index: Any,
    kind: type[Heads],
    ends: list[Value],
) -> Value:
    """Attention of projected features, its heads joined, and what is added to them."""
    matrix, slope = _looped(build, conv, edge_index), conv.negative_slope
    vectors = {name: getattr(conv, name).detach()[0] for name in kind.vectors}
    numbers = tuple(end.number for end in ends)
    out = build.add(kind(numbers, where, matrix=matrix, negative_slope=slope, **vectors))
    if not conv.concat:
        out = build.add(HeadMean((out.number,), where, heads=conv.heads))
    if conv.res is not None:
        out = build.sum(out, build.linear(x, conv.res.weight, None, where), where)
    return build.bias(out, conv.bias, where)


def _looped(build: Builder, conv: Any, edge_index: Any) -> CsrMatrix:
    graph = _graph(build, edge_index)
    key = ("attention", id(graph), conv.add_self_loops)

    def make() -> CsrMatrix:
        looped = with_one_loop_each(graph, graph.num_src).graph if conv.add_self_loops else graph
        return _matrix(build, looped, None)

    return build.matrix(key, graph, make)


def _matrix(build: Builder, graph: Graph, values: Tensor | None) -> CsrMatrix:
    if values is None:
        values = torch.ones(graph.num_edges, dtype=build.dtype, device=graph.device)
    return CsrMatrix.from_graph(graph, values.to(build.dtype))


def _graph(build: Builder, edge_index: Any) -> Graph:
    if isinstance(edge_index, Graph):
        return edge_index
    _require(isinstance(edge_index, Tensor))
    return build.graph_of(edge_index)


def _only(x: Any) -> Value:
    _require(isinstance(x, Value))
    value: Value = x
    return value


def _require(covered: bool) -> None:
    if not covered:
        raise NotCovered


# Rules by exact class.
LAYERS: dict[type[nn.Module], Rule] = {
    sg.GCN: _gcn_stack,
    sg.GCNConv: _gcn,
    sg.GATConv: _gat,
    sg.GATv2Conv: _gatv2,
    sg.SAGEConv: _sage,
    sg.GINConv: _gin,
    sg.GraphConv: _graph_conv,
    sg.GENConv: _gen,
}
