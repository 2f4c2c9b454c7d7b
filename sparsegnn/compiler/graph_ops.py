"""Operations over the edges of a graph."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.network import Operation, take
from sparsegnn.compiler.row_ops import Bias, Channelwise


@dataclass(frozen=True, eq=False)
class OverEdges(Channelwise):
    """What every node makes of its neighbours, channel by channel."""

    matrix: CsrMatrix = field(kw_only=True)

    def nodes_read(self, needed: Tensor) -> list[Tensor]:
        """Neighbours."""
        return [self.matrix.columns_of(needed)]


@dataclass(frozen=True, eq=False)
class Aggregate(OverEdges):
    """`A h` for a matrix of edge values."""

    def constants(self, inputs: list[Tensor]) -> Tensor:
        """Zero stays zero; another number becomes one per node."""
        return _zeros_alone(inputs[0])


@dataclass(frozen=True, eq=False)
class Extreme(OverEdges):
    """The largest or smallest message into every node, 0 without any."""

    weighted: bool = field(kw_only=True)
    smallest: bool = field(kw_only=True)

    def constants(self, inputs: list[Tensor]) -> Tensor:
        """Zero stays zero."""
        return _zeros_alone(inputs[0])


@dataclass(frozen=True, eq=False)
class SoftmaxMean(OverEdges):
    """The mean of the messages `relu(h) + eps` into every node, weighted by softmax of `t * them`.

    Attributes:
        matrix: The graph; its values are not read.
        t: `[1]` or `[C]`.
        eps: Added to the messages.
    """

    t: Tensor = field(kw_only=True)
    eps: float = field(kw_only=True)

    def constants(self, inputs: list[Tensor]) -> Tensor:
        """None: a node without messages gets 0, others eps at least."""
        return torch.full_like(inputs[0], torch.nan)

    def compact(self, inputs: list[Tensor], output: Tensor) -> SoftmaxMean:
        """Temperatures of the kept channels."""
        return self if self.t.numel() == 1 else replace(self, t=take(self.t, output))


@dataclass(frozen=True, eq=False)
class Attend(Operation):
    """Graph attention over `[N, heads * C]`; a head that nothing reads is removed whole.

    Attributes:
        matrix: The graph.
        att_dst: `[heads, C]`.
        att_src: `[heads, C]`.
        negative_slope: Slope of LeakyReLU.
        targets: int64, the row of every target among the sources; None where they are the same.
    """

    aligned = True
    matrix: CsrMatrix = field(kw_only=True)
    att_dst: Tensor = field(kw_only=True)
    att_src: Tensor = field(kw_only=True)
    negative_slope: float = field(kw_only=True)
    targets: Tensor | None = field(kw_only=True, default=None)

    @property
    def heads(self) -> int:
        """Heads."""
        return self.att_src.shape[0]

    def constants(self, inputs: list[Tensor]) -> Tensor:
        """A channel that is 0 for every node stays 0."""
        return _zeros_alone(inputs[0])

    def reads(self, live: Tensor, constants: list[Tensor]) -> list[Tensor]:
        """All of a head of which something is live."""
        return [_whole_heads(live, self.heads)] * len(self.inputs)

    def compact(self, inputs: list[Tensor], output: Tensor) -> Operation:
        """The heads that are kept."""
        if len(output) == 0:
            return _nothing(self, self.matrix.value)
        heads = _kept_heads(output, self.att_src.shape[1])
        return replace(self, att_dst=self.att_dst[heads], att_src=self.att_src[heads])

    def nodes_read(self, needed: Tensor) -> list[Tensor]:
        """Neighbours and the nodes themselves."""
        return [self.matrix.columns_of(needed) | needed]


@dataclass(frozen=True, eq=False)
class AttendV2(Operation):
    """GATv2's attention over sources and targets `[N, heads * C]` each."""

    aligned = True
    matrix: CsrMatrix = field(kw_only=True)
    att: Tensor = field(kw_only=True)
    negative_slope: float = field(kw_only=True)

    @property
    def heads(self) -> int:
        """Heads."""
        return self.att.shape[0]

    def constants(self, inputs: list[Tensor]) -> Tensor:
        """A source channel that is 0 for every node gives 0."""
        return _zeros_alone(inputs[0])

    def reads(self, live: Tensor, constants: list[Tensor]) -> list[Tensor]:
        """All of a head of which something is live."""
        return [_whole_heads(live, self.heads)] * len(self.inputs)

    def compact(self, inputs: list[Tensor], output: Tensor) -> Operation:
        """The heads that are kept."""
        if len(output) == 0:
            return _nothing(self, self.matrix.value)
        return replace(self, att=self.att[_kept_heads(output, self.att.shape[1])])

    def nodes_read(self, needed: Tensor) -> list[Tensor]:
        """Neighbours as sources, the nodes themselves as targets."""
        return [self.matrix.columns_of(needed), needed]


def _nothing(operation: Operation, values: Tensor) -> Operation:
    """Stands for an operation none of whose channels is kept."""
    return Bias(operation.inputs[:1], operation.where, bias=values.new_zeros(0))


def _zeros_alone(constants: Tensor) -> Tensor:
    return torch.where(constants == 0, constants, torch.nan)


def _whole_heads(live: Tensor, heads: int) -> Tensor:
    by_head = live.view(heads, -1)
    return by_head.any(dim=1, keepdim=True).expand_as(by_head).reshape(-1)


def _kept_heads(kept: Tensor, channels: int) -> Tensor:
    return kept[::channels].div(channels, rounding_mode="floor")
