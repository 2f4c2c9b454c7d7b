"""Which channels of a network can be removed without changing its result, and their removal."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sparsegnn.compiler.network import INPUT, Network
from sparsegnn.compiler.row_ops import Linear

# Widths above this many channels are rounded up to a multiple of it.
PADDED_TO = 16


@dataclass(frozen=True)
class Liveness:
    """What is known of the channels of every value.

    Attributes:
        constants: float64 `[C]` per value: numbers that hold for every node, else NaN.
        kept: int64 per value: channels that the result depends on, ascending. Values that an
            aligned operation connects keep the same ones.
    """

    constants: dict[int, Tensor]
    kept: dict[int, Tensor]


def constants_of(network: Network, used_inputs: Tensor | None = None) -> dict[int, Tensor]:
    """Channels that hold one number for every node.

    Args:
        network: The network.
        used_inputs: bool `[F]`, False for features that are 0 everywhere; None for none known.
    """
    varies = torch.full((network.input_width,), torch.nan, dtype=torch.float64)
    known = {INPUT: varies if used_inputs is None else torch.where(used_inputs, varies, 0.0)}
    for value, operation in network.operations.items():
        known[value] = operation.constants([known[i] for i in operation.inputs])
    return known


def liveness(network: Network, used_inputs: Tensor | None = None) -> Liveness:
    """Finds the channels that can influence the result; removing the others is exact.

    A channel goes when nothing live reads it, where a linear map reads no channel that is zero for
    every node. All channels of the result stay.
    """
    constants = constants_of(network, used_inputs)
    group = _groups(network)
    live = {g: torch.zeros(len(constants[g]), dtype=torch.bool) for g in set(group.values())}
    live[group[network.output]].fill_(True)
    for value, operation in network.operations.items():
        if operation.gives_all:
            live[group[value]].fill_(True)
    changed = True
    while changed:
        changed = False
        for value, operation in reversed(network.operations.items()):
            known = [constants[i] for i in operation.inputs]
            read = operation.reads(live[group[value]], known)
            for source, channels in zip(operation.inputs, read, strict=True):
                changed |= _widen(live[group[source]], channels)
    kept = {value: live[g].nonzero()[:, 0] for value, g in group.items()}
    return Liveness(constants, kept)


def compacted(network: Network, kept: dict[int, Tensor]) -> Network:
    """The network on the kept channels alone; its input has those of value 0."""
    operations = [
        (value, operation.compact([kept[i] for i in operation.inputs], kept[value]))
        for value, operation in network.operations.items()
    ]
    return Network(
        len(kept[INPUT]), dict(operations), network.output, network._next
    ).without_unused()


def padded(network: Network, kept: dict[int, Tensor]) -> dict[int, Tensor]:
    """Adds channels (-1) that stay without influence, so that rows start on cache lines.

    Only where linear maps alone make and read the channels: they have a row and a column of zeros.
    """
    group = _groups(network)
    fixed = {group[INPUT], group[network.output]}
    for value, operation in network.operations.items():
        if operation.aligned and not operation.accepts_padding:
            fixed.add(group[value])
        if not operation.aligned and not isinstance(operation, Linear):
            fixed.update(group[v] for v in (value, *operation.inputs))
    return {
        value: channels if group[value] in fixed else _pad(channels)
        for value, channels in kept.items()
    }


def _pad(channels: Tensor) -> Tensor:
    missing = -len(channels) % PADDED_TO if len(channels) > PADDED_TO else 0
    return torch.cat([channels, channels.new_full((missing,), -1)])


def _widen(live: Tensor, channels: Tensor) -> bool:
    more = bool((channels & ~live).any())
    live |= channels
    return more


def _groups(network: Network) -> dict[int, int]:
    """Per value, the first value that it shares its channels with."""
    group = {INPUT: INPUT}
    for value, operation in network.operations.items():
        group[value] = value
        if not operation.aligned:
            continue
        joined = {group[i] for i in operation.inputs}
        first = min(joined)
        group = {v: first if g in joined or v == value else g for v, g in group.items()}
    return group
