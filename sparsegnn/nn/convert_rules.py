"""Which layer of PyG is which of ours, and with what options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

from sparsegnn.nn.gat_conv import GATConv
from sparsegnn.nn.gatv2_conv import GATv2Conv
from sparsegnn.nn.gcn_conv import GCNConv
from sparsegnn.nn.gen_aggregation import (
    PlainAggregation,
    PowerMeanAggregation,
    SoftmaxAggregation,
)
from sparsegnn.nn.gen_conv import GENConv
from sparsegnn.nn.gin_conv import GINConv
from sparsegnn.nn.graph_conv import GraphConv
from sparsegnn.nn.message_norm import MessageNorm
from sparsegnn.nn.projection import Projection
from sparsegnn.nn.sage_conv import SAGEConv
from sparsegnn.nn.transplant import transplant

Options = dict[str, Any]
_SIZES = ("in_channels", "out_channels")
_LAZY = ("in_channels", "edge_dim")
_ATTENTION = (
    *_SIZES, "heads", "concat", "negative_slope", "dropout", "add_self_loops", "edge_dim",
    "fill_value", "residual",
)  # fmt: skip


class Rule(NamedTuple):
    """A layer that both libraries have under one name.

    Attributes:
        ours: Our class.
        attributes: Options that both classes keep as attributes of their own names.
        derived: Options that the layer's parameters tell.
        node_dim: PyG's default.
        aggregations: What it may aggregate by.
    """

    ours: type[nn.Module]
    attributes: tuple[str, ...]
    derived: Callable[[Any], Options]
    node_dim: int = -2
    aggregations: tuple[str, ...] = ("add", "sum")

    def options(self, layer: nn.Module) -> Options:
        """Arguments with which either class makes such a layer."""
        return {name: getattr(layer, name) for name in self.attributes} | self.derived(layer)


def _bias_of(name: str | None = None) -> Callable[[Any], Options]:
    def derived(layer: Any) -> Options:
        holder = layer if name is None else getattr(layer, name)
        return {"bias": getattr(holder, "bias", None) is not None}

    return derived


def _gin_options(layer: Any) -> Options:
    """With a stand-in for the network: a constructor would reset it."""
    return {
        "nn": nn.Identity() if isinstance(layer.nn, nn.Module) else layer.nn,
        "eps": layer.initial_eps,
        "train_eps": isinstance(layer.eps, nn.Parameter),
    }


def _gen_options(layer: Any) -> Options:
    edges = getattr(layer, "lin_edge", None)
    options: Options = {"msg_norm": getattr(layer, "msg_norm", None) is not None, "edge_dim": None}
    if edges is not None:
        options["edge_dim"] = getattr(edges, "in_channels", None) or edges.weight.shape[1]
    mean = layer.aggr_module
    if layer.aggr == "softmax":
        t = mean._init_t if mean.learn else mean.t
        options["aggr_kwargs"] = {
            "t": t, "learn": mean.learn, "semi_grad": mean.semi_grad, "channels": mean.channels,
        }  # fmt: skip
    elif layer.aggr == "powermean":
        p = mean._init_p if mean.learn else mean.p
        options["aggr_kwargs"] = {
            "p": p, "learn": mean.learn, "channels": mean.channels,
            "clamp_min": mean.min_value, "clamp_max": mean.max_value,
        }  # fmt: skip
    return options


_PLAIN = ("add", "sum", "mean", "max", "min")
_RULES = [
    Rule(
        GCNConv, (*_SIZES, "improved", "cached", "add_self_loops", "normalize"), _bias_of()
    ),
    Rule(GATConv, _ATTENTION, _bias_of(), node_dim=0),
    Rule(GATv2Conv, (*_ATTENTION, "share_weights"), _bias_of(), node_dim=0),
    Rule(
        SAGEConv,
        (*_SIZES, "aggr", "normalize", "root_weight", "project"),
        _bias_of("lin_l"),
        aggregations=_PLAIN,
    ),
    Rule(GraphConv, (*_SIZES, "aggr"), _bias_of("lin_rel"), aggregations=_PLAIN),
    Rule(
        GENConv,
        (*_SIZES, "aggr", "eps"),
        _gen_options,
        aggregations=(*_PLAIN, "softmax", "powermean"),
    ),
    Rule(GINConv, ("aggr",), _gin_options, aggregations=_PLAIN),
]  # fmt: skip
RULES = {rule.ours.__name__: rule for rule in _RULES}
_OUR_CHILDREN = (
    Projection, MessageNorm, SoftmaxAggregation, PowerMeanAggregation, PlainAggregation
)  # fmt: skip


def to_ours(layer: nn.Module, rule: Rule) -> nn.Module:
    """Our layer with the parameters, children and hooks of PyG's.

    Raises:
        ValueError: We have no layer with these options.
    """
    from torch_geometric.nn.aggr import Aggregation

    options = rule.options(layer)
    # PyG's lazy layers have sizes of -1; their own linear maps take the place of ours.
    sizes = {name: options[name] for name in _LAZY if options.get(name) is not None}
    with torch.device("meta"):
        ours = rule.ours(**(options | {name: _positive(size) for name, size in sizes.items()}))
    transplant(layer, ours, lambda child: isinstance(child, Aggregation))
    for name, size in sizes.items():
        setattr(ours, name, size)
    return ours


def to_pyg(layer: nn.Module, rule: Rule) -> nn.Module:
    """PyG's layer with the parameters, children and hooks of ours."""
    import torch_geometric.nn

    with torch.device("meta"):
        theirs = getattr(torch_geometric.nn, rule.ours.__name__)(**rule.options(layer))
    return transplant(layer, theirs, lambda child: type(child) in _OUR_CHILDREN)


def _positive(size: Any) -> Any:
    if isinstance(size, int):
        return max(size, 1)
    return tuple(max(part, 1) for part in size)
