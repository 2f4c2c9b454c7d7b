"""Which layer of PyG is which of ours, and with what options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

from sparsegnn.nn.gat_conv import GATConv
from sparsegnn.nn.gatv2_conv import GATv2Conv
from sparsegnn.nn.gcn_conv import GCNConv
from sparsegnn.nn.gin_conv import GINConv
from sparsegnn.nn.graph_conv import GraphConv
from sparsegnn.nn.projection import Projection
from sparsegnn.nn.sage_conv import SAGEConv
from sparsegnn.nn.transplant import transplant

Options = dict[str, Any]
_SIZES = ("in_channels", "out_channels")
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
        any_aggr: Whether the aggregation is an option, not always the sum.
    """

    ours: type[nn.Module]
    attributes: tuple[str, ...]
    derived: Callable[[Any], Options]
    node_dim: int = -2
    any_aggr: bool = False

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
        any_aggr=True,
    ),
    Rule(GraphConv, (*_SIZES, "aggr"), _bias_of("lin_rel"), any_aggr=True),
    Rule(GINConv, ("aggr",), _gin_options, any_aggr=True),
]  # fmt: skip
RULES = {rule.ours.__name__: rule for rule in _RULES}
_OUR_CHILDREN = (Projection,)


def to_ours(layer: nn.Module, rule: Rule) -> nn.Module:
    """Our layer with the parameters, children and hooks of PyG's.

    Raises:
        ValueError: We have no layer with these options.
    """
    from torch_geometric.nn.aggr import Aggregation

    options = rule.options(layer)
    in_channels = options.get("in_channels")
    if in_channels is not None:  # PyG's lazy layers have -1, filled in by their own first call
        options["in_channels"] = _positive(in_channels)
    with torch.device("meta"):
        ours = rule.ours(**options)
    transplant(layer, ours, lambda child: isinstance(child, Aggregation))
    if in_channels is not None:
        ours.in_channels = in_channels
    return ours


def to_pyg(layer: nn.Module, rule: Rule) -> nn.Module:
    """PyG's layer with the parameters, children and hooks of ours."""
    import torch_geometric.nn

    with torch.device("meta"):
        theirs = getattr(torch_geometric.nn, rule.ours.__name__)(**rule.options(layer))
    return transplant(layer, theirs, lambda child: type(child) in _OUR_CHILDREN)


def _positive(in_channels: Any) -> Any:
    if isinstance(in_channels, int):
        return max(in_channels, 1)
    return tuple(max(channels, 1) for channels in in_channels)
