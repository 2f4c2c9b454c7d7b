"""Networks of plain parts, run so that a linear map takes what follows it in one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from sparsegnn.nn.activation import NOTHING, Activation
from sparsegnn.nn.projection import commutes, has_hooks, is_plain, product

Stage = Callable[[Tensor], Tensor] | Activation
_PYG_MLP = ("torch_geometric.nn.models.mlp", "MLP")


def stages_of(network: Callable[[Tensor], Tensor]) -> list[Stage]:
    """The parts that a Sequential or an MLP of PyG applies one after the other.

    Anything else, or what has hooks, is one part.
    """
    if not isinstance(network, nn.Module) or has_hooks(network):
        return [network]
    kind = type(network)
    if (kind.__module__, kind.__name__) == _PYG_MLP:
        return _mlp_stages(network)
    return list(network) if type(network) is nn.Sequential else [network]


def plain_linear(stages: Sequence[Stage]) -> Any:
    """The linear map that the stages begin with, if rows may be summed before it."""
    first = stages[0] if stages else None
    return first if isinstance(first, nn.Module) and commutes(first) else None


def take_activation(stages: Sequence[Stage]) -> tuple[Activation, list[Stage]]:
    """The ReLU and dropout that the stages begin with, as one, and the stages after it."""
    taken = NOTHING
    for position, stage in enumerate(stages):
        joined = taken.then(stage)
        if joined is None:
            return taken, list(stages[position:])
        taken = joined
    return taken, []


def run_stages(stages: Sequence[Stage], x: Tensor) -> Tensor:
    """Applies the stages in order."""
    rest = list(stages)
    while rest:
        lin = plain_linear(rest)
        if lin is None:
            stage = rest.pop(0)
            x = stage.apply(x) if isinstance(stage, Activation) else stage(x)
            continue
        activation, rest = take_activation(rest[1:])
        x = activated_linear(lin, x, activation)
    return x


def activated_linear(lin: Any, x: Tensor, activation: Activation) -> Tensor:
    """`activation(lin(x))`; the bias of a plain map is added by the activation."""
    if not is_plain(lin):
        return activation.apply(lin(x))
    if not activation.is_active():
        return product(lin.weight, x, lin.bias)
    return activation.apply(product(lin.weight, x), lin.bias)


def _mlp_stages(mlp: Any) -> list[Stage]:
    """Blocks of linear map, norm, activation and dropout; a plain last layer has no norm."""
    stages: list[Stage] = []
    for position, lin in enumerate(mlp.lins):
        stages.append(lin)
        if position < len(mlp.norms):
            norm, act = mlp.norms[position], [] if mlp.act is None else [mlp.act]
            stages += [*act, norm] if mlp.act_first else [norm, *act]
        stages.append(Activation(dropout=mlp.dropout[position] if mlp.training else 0.0))
    return stages
