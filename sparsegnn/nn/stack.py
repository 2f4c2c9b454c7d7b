"""PyG's models, run so that ReLU and dropout take no pass of their own."""

from __future__ import annotations

import sys
from typing import Any

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from sparsegnn.nn.activation import NOTHING, Activation
from sparsegnn.nn.gat_conv import GATConv
from sparsegnn.nn.gatv2_conv import GATv2Conv
from sparsegnn.nn.gcn_conv import GCNConv
from sparsegnn.nn.gin_conv import GINConv
from sparsegnn.nn.projection import has_hooks
from sparsegnn.nn.sage_conv import SAGEConv
from sparsegnn.nn.stages import take_activation
from sparsegnn.sparse_matrix import SparseMatrix

_LAYERS = (GCNConv, SAGEConv, GINConv, GATConv, GATv2Conv)


class Fused:
    """Goes before a class of PyG among the bases of another: its forward pass, in fewer passes.

    The results are PyG's. What a subclass does not cover runs as PyG runs it.
    """


class Stack(Fused):
    """Of PyG's `BasicGNN`: layers apply the ReLU and dropout that follow them.

    Where every layer is ours, without hooks, and no norm lies between.
    """

    def forward(
        self,
        x: Any,
        edge_index: Any,
        edge_weight: Any = None,
        edge_attr: Any = None,
        batch: Any = None,
        batch_size: int | None = None,
        num_sampled_nodes_per_hop: list[int] | None = None,
        num_sampled_edges_per_hop: list[int] | None = None,
    ) -> Tensor:
        """As PyG's."""
        activation = None if num_sampled_nodes_per_hop is not None else _between(self, x)
        if activation is not None:
            return _stacked(self, x, edge_index, edge_weight, edge_attr, activation)
        result: Tensor = super().forward(  # type: ignore[misc]
            *(x, edge_index, edge_weight, edge_attr, batch, batch_size),
            *(num_sampled_nodes_per_hop, num_sampled_edges_per_hop),
        )
        return result


class ResidualLayer(Fused):
    """Of PyG's `DeepGCNLayer`: the ReLU and dropout before a pre-activation layer are one pass."""

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """As PyG's."""
        layer: Any = self
        dropout = Activation(dropout=layer.dropout if layer.training else 0.0)
        activation, other = take_activation([*_present(layer.act), dropout])
        if other or layer.block != "res+" or not (args and isinstance(args[0], Tensor)):
            result: Tensor = super().forward(*args, **kwargs)  # type: ignore[misc]
            return result
        x, *graph = args
        h = activation.apply(x if layer.norm is None else layer.norm(x))
        if layer.ckpt_grad and h.requires_grad:
            recomputed: Any = checkpoint(layer.conv, h, *graph, use_reentrant=True, **kwargs)
            return x + recomputed  # type: ignore[no-any-return]
        return x + layer.conv(h, *graph, **kwargs)  # type: ignore[no-any-return]


def _present(module: nn.Module | None) -> list[Any]:
    return [] if module is None else [module]


def _between(model: Any, x: Any) -> Activation | None:
    """What follows every layer but the last, where the layers can apply it."""
    if not isinstance(x, (Tensor, SparseMatrix)):  # a traced value, or two
        return None
    if not all(isinstance(conv, _LAYERS) and not has_hooks(conv) for conv in model.convs):
        return None
    stages = [*model.norms, *_present(model.act), model.dropout]
    activation, other = take_activation(stages)
    return None if other or not activation.is_active() else activation


def _stacked(
    model: Any, x: Any, edge_index: Any, edge_weight: Any, edge_attr: Any, activation: Activation
) -> Tensor:
    options = {}
    if model.supports_edge_weight:
        options["edge_weight"] = edge_weight
    if model.supports_edge_attr:
        options["edge_attr"] = edge_attr
    inner = len(model.convs) if model.jk_mode is not None else len(model.convs) - 1
    hidden, keeps = [], hasattr(model, "jk")
    for position, conv in enumerate(model.convs):
        following = activation if position < inner else NOTHING
        x = conv(x, edge_index, **options, activation=following)
        if keeps:
            hidden.append(x)
    x = model.jk(hidden) if keeps else x
    result: Tensor = model.lin(x) if hasattr(model, "lin") else x
    return result


def fused_class(kind: type) -> type | None:
    """The class that a model of PyG gets; None for those that stay."""
    if "torch_geometric.nn" not in sys.modules:
        return None
    from sparsegnn.nn.pyg_models import FUSED

    return FUSED.get(kind)
