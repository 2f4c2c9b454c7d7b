"""A copy of a model in which pruned weights are zeros of ordinary parameters."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.utils import parametrize, prune

Model = TypeVar("Model", bound=nn.Module)


def plain_copy(model: Model) -> Model:
    """An independent copy with ordinary parameters; the model itself goes on working.

    Parametrisations (`torch.nn.utils.parametrize`, the masks of a ticket among them) and the masks
    of `torch.nn.utils.prune` are applied for good.
    """
    with torch.no_grad():
        for module in model.modules():
            _apply_prune_masks(module)
        plain = copy.deepcopy(model)
        for module in list(plain.modules()):
            for name in _pruned_names(module):
                prune.remove(module, name)
            if parametrize.is_parametrized(module):
                _unparametrize(module)
    return plain


def _unparametrize(module: nn.Module) -> None:
    """Stores the parametrised tensors of a copied module.

    `remove_parametrizations` would change the module's class, which the copy shares.
    """
    lists: dict[str, Any] = dict(module.parametrizations.items())  # type: ignore[operator,union-attr]
    values = {name: getattr(module, name).detach().clone() for name in lists}
    module.__class__ = parametrize.type_before_parametrizations(module)
    del module._modules["parametrizations"]
    for name, value in values.items():
        if isinstance(lists[name].original, nn.Parameter):
            module.register_parameter(name, nn.Parameter(value))
        else:
            module.register_buffer(name, value)


def _apply_prune_masks(module: nn.Module) -> None:
    """Computes pruned tensors without history, as only such can be copied."""
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, prune.BasePruningMethod):
            hook(module, None)


def _pruned_names(module: nn.Module) -> list[str]:
    hooks = module._forward_pre_hooks.values()
    return [hook._tensor_name for hook in hooks if isinstance(hook, prune.BasePruningMethod)]


def shared_copy(model: Model) -> Model:
    """A copy of the modules that holds the same parameters and buffers."""
    held = {id(tensor): tensor for tensor in [*model.parameters(), *model.buffers()]}
    return copy.deepcopy(model, held)
