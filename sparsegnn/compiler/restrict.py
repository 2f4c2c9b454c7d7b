"""The network that computes no row which the requested nodes do not depend on.

Values whose rows differ meet in aggregations, whose matrices become rectangular, and elsewhere
through `NodeSubset`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.graph_ops import Attend, AttendV2, OverEdges
from sparsegnn.compiler.network import INPUT, Network, Operation
from sparsegnn.compiler.nodes import NodeSet, NodeSets, mask_of, needed_nodes
from sparsegnn.compiler.row_ops import Linear, NodeSubset, Opaque


@dataclass(frozen=True)
class Restricted:
    """A network on the nodes that its result depends on.

    Attributes:
        network: The network.
        features: int64, the nodes whose features it reads, in its order; None for all of them.
        rows: Rows of every value.
        sources: Per value that is some rows of another one, that one.
    """

    network: Network
    features: Tensor | None
    rows: dict[int, int]
    sources: dict[int, int]


def restricted(
    network: Network,
    num_nodes: int,
    requested: Tensor | None,
    order: Tensor | None = None,
    *,
    sparse_features: bool = False,
    whole: bool = False,
) -> Restricted:
    """The network that gives the rows of the requested nodes and computes no row in vain.

    Args:
        network: Its values have a row per node.
        num_nodes: N.
        requested: int64, the rows of the result; None for all of them.
        order: int64 `[N]`, the order of the rows inside; the result has that of `requested`.
        sparse_features: Linear maps of the features are then computed for every node that is read:
            some rows of sparse features would have to be dense.
        whole: Every value is computed for all nodes, and only the result restricted.
    """
    if requested is None and order is None:
        rows = dict.fromkeys((INPUT, *network.operations), num_nodes)
        return Restricted(network, None, rows, {})
    named = requested if requested is not None else order
    assert named is not None
    wanted = mask_of(named, num_nodes)
    needed = needed_nodes(network, wanted)
    if whole:
        needed = {value: torch.ones_like(mask) for value, mask in needed.items()}
    sets = NodeSets(num_nodes, order)
    restriction = _Restriction(network, needed, sets, sparse_features)
    return restriction.run(NodeSet(num_nodes, requested))


class _Restriction:
    def __init__(
        self, network: Network, needed: dict[int, Tensor], sets: NodeSets, sparse_features: bool
    ) -> None:
        self._network = network
        self._needed = needed
        self._sets = sets
        self._sparse_features = sparse_features
        self._made = network.rebuilt((), INPUT)
        self._nodes = {INPUT: sets.of(needed[INPUT])}
        self._subsets: dict[tuple[int, NodeSet], int] = {}
        self._sources: dict[int, int] = {}
        self._matrices: dict[tuple[CsrMatrix, NodeSet, NodeSet], CsrMatrix] = {}

    def run(self, result: NodeSet) -> Restricted:
        for value, operation in self._network.operations.items():
            own = self._computed(value, operation)
            taken = self._taken(operation, own)
            inputs = [self._at(i, nodes) for i, nodes in zip(operation.inputs, taken, strict=True)]
            on_nodes = self._on(operation, own, taken[0])
            self._made.operations[value] = replace(on_nodes, inputs=tuple(inputs))
            self._nodes[value] = own
        self._made.output = self._result(result)
        rows = {value: len(nodes) for value, nodes in self._nodes.items()}
        return Restricted(self._made, self._nodes[INPUT].index, rows, self._sources)

    def _computed(self, value: int, operation: Operation) -> NodeSet:
        """The nodes that an operation computes its value for."""
        if _needs_all(operation):
            return self._sets.everything
        if self._sparse_features and isinstance(operation, Linear) and operation.inputs == (INPUT,):
            return self._nodes[INPUT]
        return self._sets.of(self._needed[value])

    def _taken(self, operation: Operation, own: NodeSet) -> list[NodeSet]:
        """The nodes for which an operation takes each of its inputs."""
        if isinstance(operation, OverEdges | Attend):
            return [self._nodes[operation.inputs[0]]]
        if isinstance(operation, AttendV2):
            return [self._nodes[operation.inputs[0]], own]
        return [own] * len(operation.inputs)

    def _on(self, operation: Operation, own: NodeSet, taken: NodeSet) -> Operation:
        """An operation that takes its first input on `taken` and gives its value on `own`."""
        if not isinstance(operation, OverEdges | Attend | AttendV2):
            return operation
        matrix = self._matrix(operation.matrix, own, taken)
        if isinstance(operation, Attend) and own is not taken:
            nodes = own.index if own.index is not None else _all(own, matrix.rowptr.device)
            return replace(operation, matrix=matrix, targets=taken.places(nodes))
        return replace(operation, matrix=matrix)

    def _matrix(self, matrix: CsrMatrix, rows: NodeSet, columns: NodeSet) -> CsrMatrix:
        key = matrix, rows, columns
        if rows.index is None and columns.index is None:
            return matrix
        if key not in self._matrices:
            self._matrices[key] = matrix.select(rows.index, columns.index)
        return self._matrices[key]

    def _at(self, value: int, nodes: NodeSet) -> int:
        """The value on these nodes."""
        have = self._nodes[value]
        if have is nodes:
            return value
        if (value, nodes) not in self._subsets:
            device = self._needed[INPUT].device
            index = nodes.index if nodes.index is not None else _all(nodes, device)
            self._subsets[value, nodes] = self._subset(value, have.places(index), nodes)
        return self._subsets[value, nodes]

    def _result(self, result: NodeSet) -> int:
        """The output on the requested nodes, in the order and as often as requested."""
        output = self._network.output
        have = self._nodes[output].index
        if have is None and result.index is None:
            return output
        if have is not None and result.index is not None and torch.equal(have, result.index):
            return output
        return self._at(output, result)

    def _subset(self, value: int, index: Tensor, nodes: NodeSet) -> int:
        maker = self._made.operations.get(value)
        where = "" if maker is None else maker.where
        made = self._made.add(NodeSubset((value,), where, index=index))
        self._nodes[made] = nodes
        self._sources[made] = value
        return made


def _needs_all(operation: Operation) -> bool:
    return isinstance(operation, Opaque) and not operation.by_row


def _all(nodes: NodeSet, device: torch.device) -> Tensor:
    return torch.arange(nodes.num_nodes, device=device)
