"""Steps over the edges of a graph other than a sum: attention, largest and smallest messages."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.epilogue import Epilogue
from sparsegnn.compiler.macs import score_macs
from sparsegnn.compiler.steps import Run, Step


class Attention(Step):
    """GAT's attention over h [N, heads * C] and an epilogue.

    Args:
        matrix: The graph; its values are not read.
        att_dst: [heads, C].
        att_src: [heads, C].
        negative_slope: Slope of LeakyReLU.
        targets: int64, the row of every target among the sources; None where they are the same.
        epilogue: What follows.
    """

    scores: Tensor
    targets: Tensor | None

    def __init__(
        self,
        matrix: CsrMatrix,
        att_dst: Tensor,
        att_src: Tensor,
        negative_slope: float,
        targets: Tensor | None = None,
        epilogue: Epilogue | None = None,
    ) -> None:
        super().__init__()
        self.matrix = matrix
        self.heads, self.channels = att_src.shape
        self.negative_slope = negative_slope
        self.epilogue = Epilogue() if epilogue is None else epilogue
        blocks = [torch.block_diag(*att[:, None, :]) for att in (att_dst, att_src)]
        self.register_buffer("scores", torch.cat(blocks))
        self.register_buffer("targets", targets)
        self.label = f"attention {self.heads} x {self.channels}{self.epilogue}"
        width = self.heads * self.channels
        self._count(matrix.nnz * width + score_macs(matrix.shape[1], self.heads, width))

    def bind(self) -> Run:
        """Binds the graph and the attention vectors."""
        gat: Any = torch.ops.sparsegnn.gat.default
        structure, scores, slope = self.matrix.structure(), self.scores, self.negative_slope
        heads, channels, targets = self.heads, self.channels, self.targets

        def run(h: Tensor, *extra: Tensor) -> Tensor:
            rows = functional.linear(h, scores)
            s_dst, s_src = rows[:, :heads], rows[:, heads:].contiguous()
            s_dst = s_dst.contiguous() if targets is None else s_dst.index_select(0, targets)
            x = h.view(-1, heads, channels)
            options = (None, None, slope, 0.0, None, False)
            out: Tensor = gat(*structure, x, s_dst, s_src, *options)[0]
            return out.flatten(1)

        finish = self.epilogue.rest()
        if finish is None:
            return run
        return lambda h, *extra: finish(run(h), *extra)


class AttentionV2(Step):
    """GATv2's attention over sources and targets [N, heads * C] and an epilogue."""

    att: Tensor

    def __init__(
        self,
        matrix: CsrMatrix,
        att: Tensor,
        negative_slope: float,
        epilogue: Epilogue | None = None,
    ) -> None:
        super().__init__()
        self.matrix = matrix
        self.negative_slope = negative_slope
        self.epilogue = Epilogue() if epilogue is None else epilogue
        self.register_buffer("att", att.contiguous())
        heads, channels = att.shape
        self.label = f"attention v2 {heads} x {channels}{self.epilogue}"
        self._count(2 * matrix.nnz * heads * channels)

    def bind(self) -> Run:
        """Binds the graph and the attention vector."""
        gatv2: Any = torch.ops.sparsegnn.gatv2.default
        structure, att, slope = self.matrix.structure(), self.att, self.negative_slope
        heads, channels = att.shape

        def run(source: Tensor, target: Tensor) -> Tensor:
            pair = source.view(-1, heads, channels), target.view(-1, heads, channels)
            out: Tensor = gatv2(*structure, *pair, att, None, slope, 0.0, None)[0]
            return out.flatten(1)

        finish = self.epilogue.rest()
        if finish is None:
            return run
        return lambda source, target, *extra: finish(run(source, target), *extra)


class SoftmaxAggregation(Step):
    """GENConv's channel-wise softmax aggregation of relu(h) + eps, and an epilogue."""

    t: Tensor

    def __init__(
        self,
        matrix: CsrMatrix,
        width: int,
        t: Tensor,
        eps: float,
        epilogue: Epilogue | None = None,
    ) -> None:
        super().__init__()
        self.matrix = matrix
        self.eps = eps
        self.epilogue = Epilogue() if epilogue is None else epilogue
        self.register_buffer("t", t.expand(width).contiguous())
        self.label = f"softmax aggregation {width} wide{self.epilogue}"
        self._count(2 * matrix.nnz * width)

    def bind(self) -> Run:
        """Binds the graph and the temperature."""
        aggregate: Any = torch.ops.sparsegnn.softmax_aggregate.default
        structure, t, eps = self.matrix.structure(), self.t, self.eps

        def run(h: Tensor, *extra: Tensor) -> Tensor:
            out: Tensor = aggregate(*structure, h, t, None, True, eps, False)[0]
            return out

        finish = self.epilogue.rest()
        if finish is None:
            return run
        return lambda h, *extra: finish(run(h), *extra)


class ExtremeMessage(Step):
    """The largest or smallest message into every node, and an epilogue."""

    def __init__(
        self,
        matrix: CsrMatrix,
        width: int,
        *,
        weighted: bool,
        smallest: bool,
        epilogue: Epilogue | None = None,
    ) -> None:
        super().__init__()
        self.matrix = matrix
        self.weighted, self.smallest = weighted, smallest
        self.epilogue = Epilogue() if epilogue is None else epilogue
        self.label = f"{'min' if smallest else 'max'} {width} wide{self.epilogue}"
        self._count(matrix.nnz * width)

    def bind(self) -> Run:
        """Binds the graph."""
        extreme: Any = torch.ops.sparsegnn.spmm_extreme.default
        structure, smallest = self.matrix.structure(), self.smallest
        value = self.matrix.value if self.weighted else None

        def run(h: Tensor, *extra: Tensor) -> Tensor:
            out: Tensor = extreme(*structure, h, value, None, None, smallest, False)[0]
            return out

        finish = self.epilogue.rest()
        if finish is None:
            return run
        return lambda h, *extra: finish(run(h), *extra)
