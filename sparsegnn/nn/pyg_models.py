"""Classes that `convert` gives to models of PyG, of the same names. Imports PyG."""

from __future__ import annotations

from torch_geometric.nn import models

from sparsegnn.nn.stack import Fused, ResidualLayer, Stack


def _fused(mixin: type[Fused], base: type) -> type:
    """Made by a call, not a class statement: to a type checker PyG's classes have no type."""
    return type(base.__name__, (mixin, base), {"__module__": __name__, "__doc__": base.__doc__})


_STACKS = (models.GCN, models.GraphSAGE, models.GIN, models.GAT)
FUSED: dict[type, type] = {
    **{base: _fused(Stack, base) for base in _STACKS},
    models.DeepGCNLayer: _fused(ResidualLayer, models.DeepGCNLayer),
}
globals().update({fused.__name__: fused for fused in FUSED.values()})  # where pickle looks
