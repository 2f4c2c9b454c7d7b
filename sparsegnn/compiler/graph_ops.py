"""Operations over the edges of a graph."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

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
class Heads(Operation):
    """Attention over `[N, heads * C]`; a head that nothing reads is removed whole.

    Attributes:
        matrix: The graph.
        negative_slope: Slope of LeakyReLU.
    """

    aligned = True
    # Fields `[heads, C]`.
    vectors: ClassVar[tuple[str, ...]]
    matrix: CsrMatrix = field(kw_only=True)
    negative_slope: float = field(kw_only=True)

    @property
    def shape(self) -> tuple[int, int]:
        """Heads, and channels of each."""
        heads, channels = getattr(self, self.vectors[0]).shape
        return heads, channels

    @property
    def heads(self) -> int:
        """Heads."""
        return self.shape[0]

    def constants(self, inputs: list[Tensor]) -> Tensor:
        """A source channel that is 0 for every node gives 0."""
        return _zeros_alone(inputs[0])

    def reads(self, live: Tensor, constants: list[Tensor]) -> list[Tensor]:
        """All of a head of which something is live."""
        by_head = live.view(self.heads, -1)
        whole = by_head.any(dim=1, keepdim=True).expand_as(by_head).reshape(-1)
        return [whole] * len(self.inputs)

    def compact(self, inputs: list[Tensor], output: Tensor) -> Operation:
        """The heads that are kept; with none, something that stands for no channels."""
        if len(output) == 0:
            return Bias(self.inputs[:1], self.where, bias=self.matrix.value.new_zeros(0))
        channels = self.shape[1]
        kept = output[::channels].div(channels, rounding_mode="floor")
        return replace(self, **{name: getattr(self, name)[kept] for name in self.vectors})


@dataclass(frozen=True, eq=False)
class Attend(Heads):
    """Graph attention.

    Attributes:
        att_dst: `[heads, C]`.
        att_src: `[heads, C]`.
        targets: int64, the row of every target among the sources; None where they are the same.
    """

    vectors = ("att_dst", "att_src")
    att_dst: Tensor = field(kw_only=True)
    att_src: Tensor = field(kw_only=True)
    targets: Tensor | None = field(kw_only=True, default=None)

    def nodes_read(self, needed: Tensor) -> list[Tensor]:
        """Neighbours and the nodes themselves."""
        return [self.matrix.columns_of(needed) | needed]


@dataclass(frozen=True, eq=False)
class AttendV2(Heads):
    """GATv2's attention over sources and targets; `att` is `[heads, C]`."""

    vectors = ("att",)
    att: Tensor = field(kw_only=True)

    def nodes_read(self, needed: Tensor) -> list[Tensor]:
        """Neighbours as sources, the nodes themselves as targets."""
        return [self.matrix.columns_of(needed), needed]


def _zeros_alone(constants: Tensor) -> Tensor:
    return torch.where(constants == 0, constants, torch.nan)
