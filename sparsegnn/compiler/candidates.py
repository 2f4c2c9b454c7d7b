"""The ways in which a unit can be executed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.epilogue import Epilogue
from sparsegnn.compiler.graph_ops import Attend, AttendV2, Extreme, SoftmaxMean
from sparsegnn.compiler.graph_steps import (
    Attention,
    AttentionV2,
    ExtremeMessage,
    SoftmaxAggregation,
)
from sparsegnn.compiler.row_ops import Concat, HeadMean, NodeSubset, Opaque, Scale, TopK
from sparsegnn.compiler.row_steps import Call, Concatenate, Elementwise, MeanOfHeads, TakeNodes
from sparsegnn.compiler.steps import (
    CsrLinear,
    DenseLinear,
    FusedHidden,
    NarrowLinear,
    SparseFeatures,
    SparseProduct,
    Spmm,
    Step,
)
from sparsegnn.compiler.topk_steps import LargestAlone, plans_of_rows
from sparsegnn.compiler.units import Unit

NARROW_OUTPUTS = 32
_INT32_LIMIT = 2**31 - 1


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

    @property
    def cost(self) -> float:
        """Estimated time in arbitrary units, for plans that are not measured."""
        return sum(step.macs * step.cost_per_mac for step in self.steps)


@dataclass(frozen=True)
class Sizes:
    """What the candidates of a unit depend on beside it: N, and features if they are sparse.

    Attributes:
        num_nodes: N.
        features: The features, if they are sparse.
        rows: Rows of the values that have not N.
    """

    num_nodes: int
    features: CsrMatrix | None = None
    rows: dict[int, int] = field(default_factory=dict)

    @property
    def feature_nonzeros(self) -> int:
        """Entries of sparse features."""
        return 0 if self.features is None else self.features.nnz

    def entries_per_column(self) -> Tensor:
        """int64 [F]: nodes that have each feature."""
        assert self.features is not None
        return torch.bincount(self.features.col, minlength=self.features.shape[1])


def takes_sparse(unit: Unit) -> bool:
    """Whether a unit can read its input as a `CsrMatrix`."""
    return unit.linear is not None and unit.topk is None


def sparse_input_candidates(unit: Unit, sizes: Sizes) -> Iterator[Candidate]:
    """Plans of a unit whose input is a `CsrMatrix`."""
    assert unit.linear is not None
    weight, aggregate = unit.linear.weight, unit.aggregate
    if aggregate is None:
        for name, step in _products(weight, sizes, unit.epilogue):
            yield Candidate(name, (step,), True)
        return
    last = Spmm(aggregate.matrix, weight.shape[0], unit.epilogue)
    for name, step in _products(weight, sizes, Epilogue()):
        yield Candidate(f"transform first, {name}", (step, last), True)


def dense_input_candidates(unit: Unit, sizes: Sizes) -> Iterator[Candidate]:
    """Plans of a unit whose inputs are dense tensors."""
    if unit.topk is not None:
        yield from _topk_candidates(unit, unit.topk, sizes)
    elif unit.linear is None:
        yield _single(unit)
    elif unit.aggregate is None:
        nodes = sizes.rows.get(unit.inputs[0], sizes.num_nodes)
        for name, linear in _linears(unit.linear.weight, nodes, unit.epilogue):
            yield Candidate(name, (linear,))
    else:
        yield from _pair_candidates(unit, unit.linear.weight, unit.aggregate.matrix)


def fused_candidate(first: Unit, second: Unit, sizes: Sizes) -> Candidate:
    """Plan of two units over sparse features that never stores what lies between them."""
    assert first.linear is not None and first.aggregate is not None and second.linear is not None
    bias = None if first.bias is None else first.bias.bias
    weights = first.linear.weight, bias, second.linear.weight
    matrix, nonzeros = first.aggregate.matrix, sizes.feature_nonzeros
    name = "both layers, hidden units fused away"
    if second.aggregate is None:
        return Candidate(name, (FusedHidden(matrix, *weights, nonzeros, second.epilogue),), True)
    outputs = second.linear.weight.shape[0]
    last = Spmm(second.aggregate.matrix, outputs, second.epilogue)
    return Candidate(name, (FusedHidden(matrix, *weights, nonzeros), last), True)


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
        and first.topk is None
        and second.topk is None
        and second.inputs == (first.output,)
    )


def _pair_candidates(unit: Unit, weight: Tensor, matrix: CsrMatrix) -> Iterator[Candidate]:
    outputs, inputs = weight.shape
    for name, linear in _linears(weight, matrix.shape[1], Epilogue()):
        last = Spmm(matrix, outputs, unit.epilogue)
        yield Candidate(f"transform first, {name}", (linear, last))
    for name, linear in _linears(weight, matrix.shape[0], unit.epilogue):
        if not isinstance(linear, NarrowLinear):
            first = Spmm(matrix, inputs)
            yield Candidate(f"aggregate first, {name}", (first, linear))


def _topk_candidates(unit: Unit, topk: TopK, sizes: Sizes) -> Iterator[Candidate]:
    """Plans of a unit behind a top-k activation: on dense rows, and on sparse ones."""
    dense = LargestAlone(topk.k, topk.magnitude)
    for candidate in dense_input_candidates(replace(unit, topk=None), sizes):
        yield replace(candidate, steps=(dense, *candidate.steps))
    weight = None if unit.linear is None else unit.linear.weight
    matrix = None if unit.aggregate is None else unit.aggregate.matrix
    rows = sizes.rows.get(unit.inputs[0], sizes.num_nodes)
    width = unit.width if weight is None else weight.shape[1]
    for name, steps in plans_of_rows(topk, weight, matrix, rows, width, unit.epilogue):
        yield Candidate(name, steps)


def _products(weight: Tensor, sizes: Sizes, epilogue: Epilogue) -> Iterator[tuple[str, Step]]:
    assert sizes.features is not None
    nodes = sizes.features.shape[0]
    dense = SparseFeatures(weight, nodes, sizes.feature_nonzeros, epilogue)
    yield "sparse features, dense weight", dense
    if weight.numel() <= _INT32_LIMIT:
        sparse = SparseProduct(weight, nodes, sizes.entries_per_column(), epilogue)
        yield "sparse features, CSR weight", sparse


def _linears(weight: Tensor, nodes: int, epilogue: Epilogue) -> Iterator[tuple[str, Step]]:
    yield "dense weight", DenseLinear(weight, nodes, epilogue)
    if weight.numel() <= _INT32_LIMIT:
        yield "CSR weight", CsrLinear(weight, nodes, epilogue)
    outputs = weight.shape[0]
    if 0 < outputs <= NARROW_OUTPUTS and nodes * outputs <= _INT32_LIMIT:
        yield "dense weight by row dots", NarrowLinear(weight, nodes, epilogue)


def _single(unit: Unit) -> Candidate:
    """The only plan of a unit without a linear map."""
    if unit.aggregate is not None:
        step: Step = Spmm(unit.aggregate.matrix, unit.width, unit.epilogue)
    else:
        step = _other_step(unit)
    return Candidate(step.label, (step,))


def _other_step(unit: Unit) -> Step:
    op, last = unit.other, unit.epilogue
    if isinstance(op, Attend):
        options = op.negative_slope, op.targets
        return Attention(op.matrix, op.att_dst, op.att_src, *options, last)
    if isinstance(op, AttendV2):
        return AttentionV2(op.matrix, op.att, op.negative_slope, last)
    if isinstance(op, SoftmaxMean):
        return SoftmaxAggregation(op.matrix, unit.width, op.t, op.eps, last)
    if isinstance(op, Extreme):
        kind = {"weighted": op.weighted, "smallest": op.smallest}
        return ExtremeMessage(op.matrix, unit.width, **kind, epilogue=last)
    if isinstance(op, Concat):
        return Concatenate(op.index, last)
    if isinstance(op, HeadMean):
        return MeanOfHeads(op.heads, op.index, last)
    if isinstance(op, TopK):
        return LargestAlone(op.k, op.magnitude, last)
    if isinstance(op, NodeSubset):
        return TakeNodes(op.index, last)
    if isinstance(op, Opaque):
        return Call(op.call, op.where, last)
    return Elementwise(last, op.scale if isinstance(op, Scale) else None)
