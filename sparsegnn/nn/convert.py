"""Swaps the layers of a PyG model for ours, and back."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from sparsegnn.nn.convert_rules import RULES, to_ours, to_pyg
from sparsegnn.nn.dropout import Dropout
from sparsegnn.nn.gcn import GCN
from sparsegnn.nn.stack import Fused, fused_class
from sparsegnn.nn.transplant import transplant
from sparsegnn.nn.unconverted import rule_of, unconverted, why_not

_Swap = Callable[[nn.Module], nn.Module | None]


def convert(model: nn.Module, inplace: bool = True) -> nn.Module:
    """Swaps the layers of a PyG model for those of `sparsegnn.nn`.

    Any module: nested, `Sequential`, PyG's `GCN`, `GAT`, `GIN`, `GraphSAGE` and the like. The new
    layers hold the same `Parameter` objects, so an optimizer made before goes on; state dict,
    modes, hooks and lazy (-1) sizes stay. A norm that a `cached` layer had computed is computed
    again. `torch.nn.Dropout` becomes `Dropout`, whose masks are drawn fast. PyG's `GCN`,
    `GraphSAGE`, `GIN`, `GAT` and `DeepGCNLayer` get a subclass of the same name, in which ReLU and
    dropout take no pass of their own. `desparsify` is the way back.

    Args:
        model: The model; not changed where it holds no layer that we have.
        inplace: Swap inside the model that is given; otherwise inside a deep copy.

    Returns:
        The model; where it is itself a layer, the layer that takes its place.

    Warns:
        UserWarning: A layer stays as it is: an unknown one, a subclass, or one with options that we
            do not have. One sentence names its path and the reason; `unconverted` lists them.
    """
    _check_module(model)
    converted = _swapped(model if inplace else copy.deepcopy(model), _ours_for, {})
    for path, reason in unconverted(converted).items():
        layer = type(converted.get_submodule(path)).__name__
        warnings.warn(f"{path or 'the model'} ({layer}) is left as it is: {reason}.", stacklevel=2)
    return converted


def desparsify(model: nn.Module, inplace: bool = True) -> nn.Module:
    """Swaps the layers of `sparsegnn.nn` for those of PyG, and `GCN` for PyG's `GCN`.

    The way back from `convert`, `Dropout` included: the same `Parameter` objects, state dict, modes
    and hooks. Linear layers with pruned weights are no layers of PyG and stay.

    Args:
        model: The model.
        inplace: Swap inside the model that is given; otherwise inside a deep copy.

    Returns:
        The model; where it is itself a layer, the layer that takes its place.
    """
    _check_module(model)
    return _swapped(model if inplace else copy.deepcopy(model), _pyg_for, {})


def _check_module(model: Any) -> None:
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}.")


def _swapped(
    module: nn.Module, swap: _Swap, known: dict[int, tuple[nn.Module, nn.Module]]
) -> nn.Module:
    """The module with every layer below it swapped; a module that appears twice, once."""
    if id(module) in known:
        return known[id(module)][1]
    taken = swap(module)
    result = module if taken is None else taken
    known[id(module)] = (module, result)
    for name, child in result._modules.items():
        if child is not None:
            result._modules[name] = _swapped(child, swap, known)
    return result


def _ours_for(module: nn.Module) -> nn.Module | None:
    fused = fused_class(type(module))
    if fused is not None:
        module.__class__ = fused
        return None
    if type(module) is nn.Dropout and not module.inplace:
        return transplant(module, Dropout(module.p), lambda child: False)
    rule = rule_of(module)
    return None if rule is None or why_not(module) is not None else to_ours(module, rule)


def _pyg_for(module: nn.Module) -> nn.Module | None:
    if isinstance(module, Fused):
        module.__class__ = type(module).__bases__[1]
        return None
    if type(module) is Dropout:
        return transplant(module, nn.Dropout(module.p), lambda child: False)
    if type(module) is GCN:
        return _pyg_gcn(module)
    rule = RULES.get(type(module).__name__)
    return to_pyg(module, rule) if rule is not None and type(module) is rule.ours else None


def _pyg_gcn(model: GCN) -> nn.Module:
    """PyG's stack around our layers, which are swapped after it."""
    import torch_geometric.nn

    first: Any = model.convs[0]
    last: Any = model.convs[-1]
    with torch.device("meta"):
        theirs = torch_geometric.nn.GCN(
            first.in_channels, first.out_channels, len(model.convs), last.out_channels,
            dropout=model.dropout,
        )  # fmt: skip
    return transplant(model, theirs, lambda child: False)
