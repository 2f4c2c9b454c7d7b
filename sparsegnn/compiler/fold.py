"""Exact simplifications of a network: scales and constants go into weights and biases."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from sparsegnn.compiler.graph_ops import Aggregate
from sparsegnn.compiler.liveness import constants_of
from sparsegnn.compiler.network import Network, Operation, renamed
from sparsegnn.compiler.row_ops import Bias, Linear, Scale


def simplified(network: Network, used_inputs: Tensor | None = None) -> Network:
    """Folds scales (as of batch norm) into weights, constants into biases, and merges biases."""
    network = network.without_unused()
    while (sunk := _sink_one_scale(network)) is not None:
        network = sunk
    network = _constants_as_biases(network, used_inputs)
    while (merged := _merge_one_bias(network)) is not None:
        network = merged
    return network


def _sink_one_scale(network: Network) -> Network | None:
    """Moves one scale before the operation that it follows, or into its weight."""
    users = network.consumers()
    for value, operation in network.operations.items():
        source = operation.inputs[0]
        before = network.operations.get(source)
        if not isinstance(operation, Scale) or len(users[source]) != 1:
            continue
        scale = operation.scale
        if isinstance(before, Linear):
            return _joined(network, value, replace(before, weight=scale[:, None] * before.weight))
        if isinstance(before, Aggregate):
            return _swapped(network, value, operation, before)
        if isinstance(before, Bias):
            return _swapped(network, value, operation, replace(before, bias=scale * before.bias))
    return None


def _merge_one_bias(network: Network) -> Network | None:
    users = network.consumers()
    for value, operation in network.operations.items():
        source = operation.inputs[0]
        before = network.operations.get(source)
        if isinstance(operation, Bias) and isinstance(before, Bias) and len(users[source]) == 1:
            return _joined(network, value, replace(before, bias=before.bias + operation.bias))
    return None


def _joined(network: Network, value: int, both: Operation) -> Network:
    """The operation that gives `value` and the one before it as a single one."""
    source = network.operations[value].inputs[0]
    operations = [(v, both if v == value else op) for v, op in network.operations.items()]
    return network.rebuilt(((v, op) for v, op in operations if v != source), network.output)


def _swapped(network: Network, value: int, first: Operation, second: Operation) -> Network:
    """The operation that gives `value` before the one that it follows."""
    source = network.operations[value].inputs[0]
    start = network.operations[source].inputs
    places = {source: replace(first, inputs=start), value: replace(second, inputs=(source,))}
    operations = [(v, places.get(v, op)) for v, op in network.operations.items()]
    return network.rebuilt(operations, network.output)


def _constants_as_biases(network: Network, used_inputs: Tensor | None) -> Network:
    """Linear maps no longer read channels that hold one number other than 0 for every node."""
    constants = constants_of(network, used_inputs)
    names: dict[int, int] = {}
    operations: list[tuple[int, Operation]] = []
    for value, operation in network.operations.items():
        operation = renamed(operation, names)
        operations.append((value, operation))
        known = [constants[i] for i in network.operations[value].inputs]
        folded = _split_constants(operation, known[0]) if isinstance(operation, Linear) else None
        if folded is None:
            continue
        operations[-1] = (value, folded[0])
        names[value] = network.fresh()
        operations.append((names[value], Bias((value,), operation.where, bias=folded[1])))
    return network.rebuilt(operations, names.get(network.output, network.output))


def _split_constants(linear: Linear, constants: Tensor) -> tuple[Linear, Tensor] | None:
    folded = torch.nan_to_num(constants, nan=0.0) != 0
    weight = linear.weight[:, folded]
    if not bool((weight != 0).any()):
        return None
    bias = (weight.double() @ constants[folded]).to(linear.weight.dtype)
    rest = linear.weight.clone()
    rest[:, folded] = 0
    return replace(linear, weight=rest), bias
