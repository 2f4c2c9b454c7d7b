"""What depends on features and graph alone, computed once, for features that stay the same.

Aggregations that follow the first linear maps commute with them, so that `A (X W^T)` is `(A X) W^T`
and `A X` can be stored in place of X. Several such values, as X and its mean over neighbours in
GraphSAGE, are stored side by side: the linear maps that read them are one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate

import torch
from torch import Tensor

from sparsegnn.compiler.candidates import dense_input_candidates
from sparsegnn.compiler.commute import hoisted, joined_sums, weightless
from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.features import Features
from sparsegnn.compiler.graph_ops import Aggregate
from sparsegnn.compiler.network import INPUT, Network, Operation, renamed
from sparsegnn.compiler.planner import run_steps
from sparsegnn.compiler.row_ops import Linear
from sparsegnn.compiler.sizes import Sizes
from sparsegnn.compiler.units import form_units
from sparsegnn.ops import spgemm
from sparsegnn.sparse_matrix import SparseMatrix

_INT32_LIMIT = 2**31 - 1


@dataclass(frozen=True)
class Stored:
    """A network that starts from stored values.

    Attributes:
        network: The network.
        x: Its features, `[N, channels]`; sparse where those of the model are and stay so.
    """

    network: Network
    x: Features


def stored_features(network: Network, x: Features) -> Stored | None:
    """The network that starts where the first weights are.

    Args:
        network: Reads x.
        x: Features `[N, F]`.

    Returns:
        None where that is at the features themselves, or where something else than linear maps
        reads several of the values to store.
    """
    network = hoisted(network)
    before = weightless(network)
    behind = {v: op for v, op in network.operations.items() if v not in before}
    read = {i for operation in behind.values() for i in operation.inputs if i in before}
    if network.output in before:
        read.add(network.output)
    parts = sorted(read)
    if parts == [INPUT] or (len(parts) > 1 and not _only_linear(network, behind, read)):
        return None
    values = [_evaluated(network, value, x) for value in parts]
    widths = network.widths()
    start = _started(network, behind, parts, [widths[value] for value in parts])
    return Stored(joined_sums(start), _side_by_side(values))


def _only_linear(network: Network, behind: dict[int, Operation], parts: set[int]) -> bool:
    """Whether linear maps alone read the values to store."""
    readers = [op for op in behind.values() if not parts.isdisjoint(op.inputs)]
    return network.output in behind and all(isinstance(op, Linear) for op in readers)


def _started(
    network: Network, behind: dict[int, Operation], parts: list[int], widths: list[int]
) -> Network:
    """The operations behind the stored values, whose channels are those of the input now."""
    starts = dict(zip(parts, accumulate(widths, initial=0), strict=False))
    names = dict.fromkeys(parts, INPUT)
    operations: dict[int, Operation] = {}
    for value, operation in behind.items():
        moved = renamed(operation, names)
        if isinstance(operation, Linear) and operation.inputs[0] in starts:
            weight, start = operation.weight, starts[operation.inputs[0]]
            wide = weight.new_zeros(weight.shape[0], sum(widths))
            wide[:, start : start + weight.shape[1]] = weight
            moved = replace(operation, inputs=(INPUT,), weight=wide)
        operations[value] = moved
    output = names.get(network.output, network.output)
    return Network(sum(widths), operations, output, network._next)


def _evaluated(network: Network, value: int, x: Features) -> Features:
    """A value that no linear map lies before."""
    part = network.rebuilt(network.operations.items(), value).without_unused()
    operations = part.operations
    if isinstance(x, SparseMatrix) and all(isinstance(op, Aggregate) for op in operations.values()):
        values = {INPUT: x}
        for number, operation in operations.items():
            assert isinstance(operation, Aggregate)
            matrix = _as_sparse(operation.matrix)
            values[number] = spgemm(matrix, values[operation.inputs[0]], out="csr")
        return values[value]
    return _evaluated_dense(part, x.to_dense() if isinstance(x, SparseMatrix) else x)


def _evaluated_dense(network: Network, x: Tensor) -> Tensor:
    values = {INPUT: x}
    for unit in form_units(network):
        candidate = next(dense_input_candidates(unit, Sizes(x.shape[0])))
        values[unit.output] = run_steps(candidate, [values[i] for i in unit.reads])
    result = values[network.output]
    return result.clone() if result.is_inference() else result


def _as_sparse(matrix: CsrMatrix) -> SparseMatrix:
    return SparseMatrix._from_stored(matrix.rowptr, matrix.col, matrix.value, matrix.shape[1])


def _side_by_side(values: list[Features]) -> Features:
    if len(values) == 1:
        return values[0]
    sparse = [value for value in values if isinstance(value, SparseMatrix)]
    if len(sparse) == len(values):
        return _sparse_side_by_side(sparse)
    dense = [v.to_dense() if isinstance(v, SparseMatrix) else v for v in values]
    return torch.cat(dense, dim=1)


def _sparse_side_by_side(values: list[SparseMatrix]) -> SparseMatrix:
    arrays = [value.csr_arrays() for value in values]
    rows, width = values[0].shape[0], sum(value.shape[1] for value in values)
    starts = accumulate((value.shape[1] for value in values), initial=0)
    node = torch.arange(rows, device=values[0].device)
    row = torch.cat([torch.repeat_interleave(node, ptr.diff().long()) for ptr, _, _ in arrays])
    col = torch.cat([col.long() + s for (_, col, _), s in zip(arrays, starts, strict=False)])
    order = torch.argsort(row, stable=True)
    ends = torch.bincount(row, minlength=rows).cumsum(0)
    index = torch.int32 if max(len(row), width) <= _INT32_LIMIT else torch.int64
    rowptr = torch.cat([ends.new_zeros(1), ends]).to(index)
    entries = torch.cat([value for _, _, value in arrays])[order]
    return SparseMatrix._from_stored(rowptr, col[order].to(index), entries, width)
