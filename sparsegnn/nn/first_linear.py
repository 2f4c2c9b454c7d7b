"""Splits a network after its first linear layer, where its kind is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from sparsegnn.nn.projection import commutes, has_hooks

_PYG_MLP = ("torch_geometric.nn.models.mlp", "MLP")


def first_linear(network: Callable[[Tensor], Tensor]) -> Any:
    """The plain linear layer that a Sequential or an MLP of PyG begins with, None for others."""
    if not isinstance(network, nn.Module) or has_hooks(network):
        return None
    layers: Any = network
    if _is_pyg_mlp(network):
        layers = network.lins
    elif type(network) is not nn.Sequential:
        return None
    return layers[0] if len(layers) > 0 and commutes(layers[0]) else None


def after_first_linear(network: Any, x: Tensor) -> Tensor:
    """What the network makes of the output x of its first linear layer."""
    if _is_pyg_mlp(network):
        return _rest_of_mlp(network, x)
    for layer in list(network)[1:]:
        x = layer(x)
    return x


def _is_pyg_mlp(network: object) -> bool:
    kind = type(network)
    return (kind.__module__, kind.__name__) == _PYG_MLP


def _rest_of_mlp(mlp: Any, x: Tensor) -> Tensor:
    """The blocks of linear, norm, activation and dropout; a plain last layer has no norm."""
    for position, lin in enumerate(mlp.lins):
        x = x if position == 0 else lin(x)
        if position < len(mlp.norms):
            x = _normed(mlp, mlp.norms[position], x)
        x = nn.functional.dropout(x, mlp.dropout[position], mlp.training)
    return x


def _normed(mlp: Any, norm: nn.Module, x: Tensor) -> Tensor:
    if mlp.act is not None and mlp.act_first:
        x = mlp.act(x)
    x = norm(x)
    return mlp.act(x) if mlp.act is not None and not mlp.act_first else x
