"""Why a layer of PyG stays as it is."""

from __future__ import annotations

import sys
from typing import Any

from torch import nn

from sparsegnn.nn.convert_rules import RULES, Rule

_AGGREGATIONS = {
    "add": "SumAggregation", "sum": "SumAggregation",
    "mean": "MeanAggregation", "max": "MaxAggregation", "min": "MinAggregation",
    "softmax": "SoftmaxAggregation", "powermean": "PowerMeanAggregation",
}  # fmt: skip
_HOOKED = ("propagate", "message", "aggregate", "message_and_aggregate", "edge_update")


def unconverted(model: nn.Module) -> dict[str, str]:
    """The message passing layers of PyG that `convert` leaves in a model: path to reason.

    Args:
        model: Any module, converted or not.

    Returns:
        One entry per layer; empty where `convert` swaps them all. The path of the model itself is
        the empty string.
    """
    message_passing = _message_passing()
    if message_passing is None:
        return {}
    found = {
        path: why_not(module)
        for path, module in model.named_modules()
        if isinstance(module, message_passing)
    }
    return {path: reason for path, reason in found.items() if reason is not None}


def rule_of(module: nn.Module) -> Rule | None:
    """The rule of a layer of PyG, of exactly that class."""
    message_passing = _message_passing()
    if message_passing is None or not isinstance(module, message_passing):
        return None
    name = type(module).__name__
    known = getattr(sys.modules["torch_geometric.nn"], name, None) is type(module)
    return RULES.get(name) if known else None


def why_not(layer: Any) -> str | None:
    """Why a message passing layer is not swapped; None where it is."""
    rule = rule_of(layer)
    if rule is None:
        bases = [base.__name__ for base in type(layer).__mro__[1:] if base.__name__ in RULES]
        if bases:
            return f"it is a subclass of {bases[0]}, whose methods may differ"
        return "sparsegnn has no such layer"
    return _unusual(layer, rule) or _unsupported_aggregation(layer, rule)


def _unusual(layer: Any, rule: Rule) -> str | None:
    if layer.flow != "source_to_target":
        return f"flow={layer.flow!r} is not supported"
    if layer.node_dim != rule.node_dim:
        return f"node_dim={layer.node_dim} is not supported"
    if layer.decomposed_layers > 1:
        return f"decomposed_layers={layer.decomposed_layers} is not supported"
    if layer.explain:
        return "it is being explained"
    for name in _HOOKED:
        if getattr(layer, f"_{name}_forward_pre_hooks") or getattr(layer, f"_{name}_forward_hooks"):
            return f"it has hooks on {name}"
    for name, value in vars(layer).items():
        if callable(value) and callable(getattr(type(layer), name, None)):
            return f"its method {name} is replaced"
    return None


def _unsupported_aggregation(layer: Any, rule: Rule) -> str | None:
    if layer.aggr not in rule.aggregations:
        return f"aggr={layer.aggr!r} is not supported"
    kind = type(layer.aggr_module).__name__
    return None if kind == _AGGREGATIONS[layer.aggr] else f"its aggregation is a {kind}"


def _message_passing() -> Any:
    """PyG's base class, None where PyG was never imported: then no model has a layer of it."""
    library = sys.modules.get("torch_geometric.nn")
    return None if library is None else library.MessagePassing
