"""What a layer is to the channels of its input and output: linear maps with something between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import nn

from sparsegnn import nn as sg
from sparsegnn.nn.projection import has_hooks, is_plain

_ELEMENTWISE = (
    nn.Identity, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Softplus, nn.Tanh,
    nn.Sigmoid, nn.Dropout,
)  # fmt: skip
_PYG_MLP = ("torch_geometric.nn.models.mlp", "MLP")
_ATTENTION = ("lin", "lin_src", "lin_dst", "lin_l", "lin_r", "res")


class Maps(NamedTuple):
    """Linear maps side by side: they read the same channels, and their results are added.

    Attributes:
        paths: Where they are, from the layer.
        free: Whether a channel of the result depends on that channel of the maps alone, so that it
            may be left out.
        owner: Path of the layer that checks the number of its input channels, if one does.
    """

    paths: tuple[str, ...]
    free: bool = True
    owner: str | None = None


def is_elementwise(function: Any) -> bool:
    """Whether a module (None for nothing) treats every channel alike, on its own."""
    known = type(function) in _ELEMENTWISE or isinstance(function, sg.Dropout)
    return function is None or (known and not has_hooks(function))


def stages_of(layer: Any) -> list[Maps]:
    """The layer as a chain of maps with elementwise functions between; empty where it is none."""
    if has_hooks(layer):
        return []
    if is_plain(layer):
        return [Maps(("",))]
    return list(_stages(layer))


def _stages(layer: Any) -> Iterator[Maps]:
    if type(layer) is sg.GCN:
        for number, conv in enumerate(layer.convs):
            yield from (_below(f"convs.{number}", maps) for maps in stages_of(conv))
    elif type(layer) is sg.GCNConv:
        yield Maps(("lin",), True, "")
    elif type(layer) is sg.SAGEConv and layer.lin is None:
        paths: tuple[str, ...] = ("lin_l", "lin_r") if layer.root_weight else ("lin_l",)
        yield Maps(paths, not layer.normalize, "")
    elif type(layer) is sg.GraphConv:
        yield Maps(("lin_rel", "lin_root"), True, "")
    elif type(layer) is sg.GINConv:
        yield from (_below("nn", maps) for maps in stages_of_network(layer.nn))
    elif type(layer) in (sg.GATConv, sg.GATv2Conv):
        paths = tuple(n for n in _ATTENTION if isinstance(getattr(layer, n, None), nn.Module))
        yield Maps(paths, False, "")
    elif (type(layer).__module__, type(layer).__name__) == _PYG_MLP:
        yield from stages_of_network(layer)


def stages_of_network(network: Any) -> list[Maps]:
    """The linear layers of an MLP of PyG or a Sequential; empty where anything else is there."""
    if not isinstance(network, nn.Module) or has_hooks(network):
        return []
    if (type(network).__module__, type(network).__name__) == _PYG_MLP:
        net: Any = network
        maps, rest = dict(net.lins.named_children()), [net.act, *net.norms]
        prefix = "lins."
    elif type(network) is nn.Sequential:
        children = dict(network.named_children())
        maps = {name: child for name, child in children.items() if is_plain(child)}
        rest = [child for name, child in children.items() if name not in maps]
        prefix = ""
        if next(iter(children), None) not in maps:
            return []
    else:
        return []
    if not all(map(is_plain, maps.values())) or not all(map(is_elementwise, rest)):
        return []
    return [Maps((prefix + name,)) for name in maps]


def _below(path: str, maps: Maps) -> Maps:
    """The maps of a part of a layer, as those of the layer."""
    owner = maps.owner if maps.owner is None else _joined(path, maps.owner)
    return Maps(tuple(_joined(path, one) for one in maps.paths), maps.free, owner)


def _joined(*parts: str) -> str:
    return ".".join(part for part in parts if part)
