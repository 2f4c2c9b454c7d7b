"""The ways in which a unit can be executed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch import Tensor

from sparsegnn.compiler.channel_steps import Place, Take, kept_channels
from sparsegnn.compiler.epilogue import Epilogue
from sparsegnn.compiler.feature_steps import FusedHidden, SparseFeatures, SparseProduct
from sparsegnn.compiler.graph_ops import Aggregate, Attend, AttendV2, Extreme, SoftmaxMean
from sparsegnn.compiler.graph_steps import (
    Attention,
    AttentionV2,
    ExtremeMessage,
    SoftmaxAggregation,
)
from sparsegnn.compiler.linear_steps import INT32_LIMIT, LINEAR_STEPS
from sparsegnn.compiler.network import INPUT, Operation
from sparsegnn.compiler.power_step import Powers
from sparsegnn.compiler.row_ops import Concat, HeadMean, NodeSubset, Opaque, Power, Scale, TopK
from sparsegnn.compiler.row_steps import Call, Concatenate, Elementwise, MeanOfHeads, TakeNodes
from sparsegnn.compiler.sizes import Sizes
from sparsegnn.compiler.steps import Spmm, Step
from sparsegnn.compiler.topk_steps import LargestAlone, plans_of_rows
from sparsegnn.compiler.units import Unit

# A weight is compacted within its layer where at most this share of its entries is left.
COMPACTED_SHARE = 0.8

# The step of an operation that can be executed in one way only.
_STEPS: dict[type[Operation], type[Step]] = {
    Aggregate: Spmm,
    Attend: Attention,
    AttendV2: AttentionV2,
    SoftmaxMean: SoftmaxAggregation,
    Extreme: ExtremeMessage,
    Concat: Concatenate,
    HeadMean: MeanOfHeads,
    NodeSubset: TakeNodes,
    TopK: LargestAlone,
    Power: Powers,
    Opaque: Call,
    Scale: Elementwise,
}


@dataclass(frozen=True)
class Candidate:
    """One way to execute a unit.

    Attributes:
        name: For reports.
        steps: The operator calls: the first takes the unit's inputs, every other one the result of
            the one before, and the last the residual as well.
        sparse_input: Whether the input is a `CsrMatrix`.
    """

    name: str
    steps: tuple[Step, ...]
    sparse_input: bool = False

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one pass."""
        return sum(step.macs for step in self.steps)


def takes_sparse(unit: Unit) -> bool:
    """Whether a unit can read the features as a `CsrMatrix`; a residual has to be dense."""
    return unit.linear is not None and unit.topk is None and unit.residual != INPUT


def sparse_input_candidates(unit: Unit, sizes: Sizes) -> Iterator[Candidate]:
    """Plans of a unit whose input is a `CsrMatrix`."""
    assert unit.linear is not None
    weight, last = unit.linear.weight, unit.epilogue
    sizes = sizes.of(sizes.feature_rows)
    yield from _on_features(unit.aggregate, weight, sizes, last)
    rows, _ = kept_channels(weight)
    if 0 < len(rows) <= COMPACTED_SHARE * weight.shape[0]:
        place = Place(rows, weight.shape[0], _rows(unit, sizes)[0], last)
        for inner in _on_features(unit.aggregate, weight[rows], sizes.within(), Epilogue()):
            yield _wrapped(inner, (), (place,))


def dense_input_candidates(unit: Unit, sizes: Sizes) -> Iterator[Candidate]:
    """Plans of a unit whose inputs are dense tensors."""
    if unit.topk is not None:
        yield from _topk_candidates(unit, unit.topk, sizes)
        return
    if unit.linear is None:
        yield _single(unit, sizes)
        return
    weight = unit.linear.weight
    sizes = sizes.of(sizes.rows.get(unit.inputs[0], sizes.num_nodes))
    yield from _on_rows(unit.aggregate, weight, sizes, unit.epilogue)
    yield from _compacted(unit, weight, sizes)


def fused_candidate(first: Unit, second: Unit, sizes: Sizes) -> Candidate:
    """Plan of two units over sparse features that never stores what lies between them."""
    assert first.linear is not None and first.aggregate is not None and second.linear is not None
    bias = None if first.bias is None else first.bias.bias
    weights = first.linear.weight, bias, second.linear.weight
    matrix = first.aggregate.matrix
    name = "both layers, hidden units fused away"
    if second.aggregate is None:
        return Candidate(name, (FusedHidden(matrix, *weights, sizes, second.epilogue),), True)
    outputs = second.linear.weight.shape[0]
    last = Spmm(second.aggregate.matrix, outputs, second.epilogue, sizes.store)
    return Candidate(name, (FusedHidden(matrix, *weights, sizes), last), True)


def can_fuse(first: Unit, second: Unit) -> bool:
    """Whether `relu(A X W1 + b) W2^T` is what two units start with."""
    return (
        first.linear is not None
        and first.linear.weight.numel() > 0
        and first.aggregate is not None
        and first.before is not None
        and first.before.name == "relu"
        and first.residual is None
        and second.linear is not None
        and second.inputs == (first.output,)
    )


def _on_features(
    aggregate: Aggregate | None, weight: Tensor, sizes: Sizes, last: Epilogue
) -> Iterator[Candidate]:
    """Products of sparse features with a weight, and the aggregation after them."""
    if aggregate is None:
        for name, step in _products(weight, sizes, last):
            yield Candidate(name, (step,), True)
        return
    gather = Spmm(aggregate.matrix, weight.shape[0], last, sizes.store)
    for name, step in _products(weight, sizes.within(), Epilogue()):
        yield Candidate(f"transform first, {name}", (step, gather), True)


def _topk_candidates(unit: Unit, topk: TopK, sizes: Sizes) -> Iterator[Candidate]:
    """Plans of a unit behind a top-k activation: on dense rows, and on sparse ones."""
    dense = LargestAlone(topk.k, topk.magnitude)
    for candidate in dense_input_candidates(replace(unit, topk=None), sizes):
        yield replace(candidate, steps=(dense, *candidate.steps))
    if sizes.storage is not None:
        return
    weight = None if unit.linear is None else unit.linear.weight
    matrix = None if unit.aggregate is None else unit.aggregate.matrix
    rows = sizes.rows.get(unit.inputs[0], sizes.num_nodes)
    width = unit.width if weight is None else weight.shape[1]
    for name, steps in plans_of_rows(topk, weight, matrix, rows, width, unit.epilogue):
        yield Candidate(name, steps)


def _products(weight: Tensor, sizes: Sizes, last: Epilogue) -> Iterator[tuple[str, Step]]:
    yield "sparse features, dense weight", SparseFeatures(weight, sizes, last)
    if weight.numel() <= INT32_LIMIT:
        yield "sparse features, CSR weight", SparseProduct(weight, sizes, last)


def _on_rows(
    aggregate: Aggregate | None, weight: Tensor, sizes: Sizes, last: Epilogue
) -> Iterator[Candidate]:
    """Products of dense rows with a weight, and the aggregation before or after them."""
    if aggregate is None:
        for name, linear in _linears(weight, sizes, last):
            yield Candidate(name, (linear,))
        return
    (outputs, inputs), matrix = weight.shape, aggregate.matrix
    targets, sources = matrix.shape
    gather = Spmm(matrix, outputs, last, sizes.store)
    for name, linear in _linears(weight, sizes.within().of(sources), Epilogue()):
        yield Candidate(f"transform first, {name}", (linear, gather))
    first = Spmm(matrix, inputs, store=sizes.storage)
    for name, linear in _linears(weight, sizes.of(targets), last):
        yield Candidate(f"aggregate first, {name}", (first, linear))


def _linears(weight: Tensor, sizes: Sizes, last: Epilogue) -> Iterator[tuple[str, Step]]:
    for kind in LINEAR_STEPS:
        yield from kind.offers(weight, sizes, last)


def _compacted(unit: Unit, weight: Tensor, sizes: Sizes) -> Iterator[Candidate]:
    """The same on the channels alone that have a weight in this layer.

    Removal has taken those that have none anywhere; these are read or made by other layers too.
    """
    rows, columns = kept_channels(weight)
    (outputs, inputs), left = weight.shape, len(rows) * len(columns)
    if not 0 < left <= COMPACTED_SHARE * weight.numel():
        return
    last, inside = unit.epilogue, sizes
    targets, sources = _rows(unit, sizes)
    before: tuple[Step, ...] = ()
    after: tuple[Step, ...] = ()
    if len(columns) < inputs:
        before = (Take(columns, sources),)
    if len(rows) < outputs:
        after = (Place(rows, outputs, targets, last),)
        last, inside = Epilogue(), sizes.within()
    for inner in _on_rows(unit.aggregate, weight[rows][:, columns], inside, last):
        yield _wrapped(inner, before, after)


def _rows(unit: Unit, sizes: Sizes) -> tuple[int, int]:
    """Rows of what a unit gives and of what it reads."""
    if unit.aggregate is not None:
        return unit.aggregate.matrix.shape
    return sizes.num_nodes, sizes.num_nodes


def _wrapped(inner: Candidate, before: tuple[Step, ...], after: tuple[Step, ...]) -> Candidate:
    return replace(inner, name=f"compacted, {inner.name}", steps=(*before, *inner.steps, *after))


def _single(unit: Unit, sizes: Sizes) -> Candidate:
    """The only plan of a unit without a linear map."""
    operation = unit.other if unit.aggregate is None else unit.aggregate
    step: Step = Elementwise(unit.epilogue)
    if operation is not None:
        step = _STEPS[type(operation)].of(operation, unit.width, sizes, unit.epilogue)
    return Candidate(step.label, (step,))
