"""Moves parameters, buffers, children and hooks from one module into another of the same shape."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

# What torch keeps on every module: hooks, training mode. Hooks stay removable, being shared.
_SHARED = set(vars(nn.Module())) - {"_parameters", "_buffers", "_modules"}
_Memo = dict[int, nn.Module]


def transplant(
    source: nn.Module,
    target: nn.Module,
    rebuilt: Callable[[nn.Module], bool],
    memo: _Memo | None = None,
) -> nn.Module:
    """Makes `target` hold the parameters and buffers of `source`, the same objects; returns it.

    Children are taken over as they are, with their hooks. Those that are `rebuilt` belong to the
    layer's own library: the child of that name that `target` came with, if it did, gets their
    parameters instead. A child of `target` that `source` lacks stays.
    """
    memo = {} if memo is None else memo
    _share_tensors(source, target)
    vars(target).update({key: value for key, value in vars(source).items() if key in _SHARED})
    for name, child in source._modules.items():
        fresh = target._modules.get(name)
        if child is None or not rebuilt(child):
            vars(target).pop(name, None)
            target._modules[name] = child
        elif fresh is not None:
            if id(child) not in memo:  # two names of one child stay so
                memo[id(child)] = transplant(child, fresh, rebuilt, memo)
            target._modules[name] = memo[id(child)]
    for name, child in target._modules.items():
        if child is not None and name not in source._modules:
            child.train(source.training)
    return target


def _share_tensors(source: nn.Module, target: nn.Module) -> None:
    for name, value in list(target._parameters.items()):
        if value is not None:
            del target._parameters[name]
    target._parameters.update(source._parameters)
    target._buffers = dict(source._buffers)
    # What `torch.nn.utils.prune` computes lies beside the parameters, under their old name.
    vars(target).update({k: v for k, v in vars(source).items() if isinstance(v, Tensor)})
