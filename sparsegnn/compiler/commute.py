"""Rewrites that bring aggregations to the features and linear maps of the same value together."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from torch import Tensor

from sparsegnn.compiler.graph_ops import Aggregate, OverEdges
from sparsegnn.compiler.network import INPUT, Network, Operation
from sparsegnn.compiler.row_ops import (
    Activation,
    Add,
    Bias,
    Concat,
    Linear,
    Opaque,
    Scale,
    TopK,
)


def weightless(network: Network) -> set[int]:
    """The values that depend on features and graph alone: no linear map lies before them."""
    found = {INPUT}
    for value, operation in network.operations.items():
        if _without_weight(operation) and all(i in found for i in operation.inputs):
            found.add(value)
    return found


def hoisted(network: Network) -> Network:
    """`A (h W^T)` as `(A h) W^T` wherever only linear maps lie between A and the features."""
    while (changed := _hoist_one(network)) is not None:
        network = changed
    return network


def joined_sums(network: Network) -> Network:
    """One linear map in place of the sum of two, with their biases, of the same value."""
    while (changed := _join_one_sum(network)) is not None:
        network = changed
    return network


def _without_weight(operation: Operation) -> bool:
    if isinstance(operation, Opaque):
        return operation.by_row
    return isinstance(operation, OverEdges | Activation | Add | Bias | Concat | Scale | TopK)


def _hoist_one(network: Network) -> Network | None:
    reachable = weightless(network)
    for value, operation in network.operations.items():
        before = network.operations.get(operation.inputs[0])
        if isinstance(operation, Linear) and operation.inputs[0] in reachable:
            reachable.add(value)
        if not isinstance(operation, Aggregate) or not isinstance(before, Linear):
            continue
        if before.inputs[0] in reachable:
            made = network.fresh()
            first = replace(operation, inputs=before.inputs)
            pair = [(made, first), (value, replace(before, inputs=(made,)))]
            return _with(network, value, pair)
    return None


class _Product(NamedTuple):
    linear: Linear
    bias: Tensor | None


def _join_one_sum(network: Network) -> Network | None:
    users = network.consumers()
    for value, operation in network.operations.items():
        if not isinstance(operation, Add):
            continue
        first, second = (_product(network, users, i) for i in operation.inputs)
        if first is None or second is None or first.linear.inputs != second.linear.inputs:
            continue
        weight = first.linear.weight + second.linear.weight
        biases = [product.bias for product in (first, second) if product.bias is not None]
        where = first.linear.where or second.linear.where
        both = replace(first.linear, weight=weight, where=where)
        if not biases:
            return _with(network, value, [(value, both)])
        made = network.fresh()
        bias = Bias((made,), where, bias=sum(biases[1:], biases[0]))
        return _with(network, value, [(made, both), (value, bias)])
    return None


def _product(network: Network, users: dict[int, list[int]], value: int) -> _Product | None:
    """A linear map, and the bias after it, that nothing but one sum reads."""
    operation, bias = network.operations.get(value), None
    if isinstance(operation, Bias) and len(users[value]) == 1:
        value, bias = operation.inputs[0], operation.bias
        operation = network.operations.get(value)
    if isinstance(operation, Linear) and len(users[value]) == 1:
        return _Product(operation, bias)
    return None


def _with(network: Network, value: int, places: list[tuple[int, Operation]]) -> Network:
    """Other operations in place of the one that gives `value`."""
    operations: list[tuple[int, Operation]] = []
    for known, operation in network.operations.items():
        operations += places if known == value else [(known, operation)]
    return network.rebuilt(operations, network.output).without_unused()
