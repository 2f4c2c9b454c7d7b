"""Steps over the edges of a graph other than a sum: attention, largest and smallest messages."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.epilogue import Epilogue
from sparsegnn.compiler.macs import score_macs
from sparsegnn.compiler.sizes import Sizes
from sparsegnn.compiler.steps import Run, Step


class GraphStep(Step):
    """A kernel over the edges of `matrix`, and an epilogue."""

    def __init__(self, matrix: CsrMatrix, epilogue: Epilogue | None = None) -> None:
        super().__init__(epilogue)
        self.matrix = matrix


class Attention(GraphStep):
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
        super().__init__(matrix, epilogue)
        self.heads, self.channels = att_src.shape
        self.negative_slope = negative_slope
        blocks = [torch.block_diag(*att[:, None, :]) for att in (att_dst, att_src)]
        self.register_buffer("scores", torch.cat(blocks))
        self.register_buffer("targets", targets)
        self.label = f"attention {self.heads} x {self.channels}{self.epilogue}"
        width = self.heads * self.channels
        self._count(matrix.nnz * width + score_macs(matrix.shape[1], self.heads, width))

    @classmethod
    def of(cls, operation: Any, width: int, sizes: Sizes, epilogue: Epilogue) -> Step:
        """That of an `Attend`."""
        op = operation
        vectors = op.att_dst, op.att_src
        return cls(op.matrix, *vectors, op.negative_slope, op.targets, epilogue)

    def kernel(self) -> Run:
        """Binds the graph and the attention vectors."""
        gat: Any = torch.ops.sparsegnn.gat.default
        structure, scores, slope = self.matrix.structure(), self.scores, self.negative_slope
        targets = self.targets
        heads, channels, dtype = self.heads, self.channels, self.scores.dtype
        options = (None, None, slope, 0.0, None, False)

        def run(h: Tensor) -> Tensor:
            rows = functional.linear(h.to(dtype), scores)
            s_dst, s_src = rows[:, :heads], rows[:, heads:].contiguous()
            s_dst = s_dst.contiguous() if targets is None else s_dst.index_select(0, targets)
            x = h.view(-1, heads, channels)
            out: Tensor = gat(*structure, x, s_dst, s_src, *options)[0]
            return out.flatten(1)

        return run


class AttentionV2(GraphStep):
    """GATv2's attention over sources and targets [N, heads * C] and an epilogue."""

    att: Tensor

    def __init__(
        self,
        matrix: CsrMatrix,
        att: Tensor,
        negative_slope: float,
        epilogue: Epilogue | None = None,
    ) -> None:
        super().__init__(matrix, epilogue)
        self.negative_slope = negative_slope
        self.register_buffer("att", att.contiguous())
        heads, channels = att.shape
        self.label = f"attention v2 {heads} x {channels}{self.epilogue}"
        self._count(2 * matrix.nnz * heads * channels)

    @classmethod
    def of(cls, operation: Any, width: int, sizes: Sizes, epilogue: Epilogue) -> Step:
        """That of an `AttendV2`."""
        return cls(operation.matrix, operation.att, operation.negative_slope, epilogue)

    def kernel(self) -> Run:
        """Binds the graph and the attention vector."""
        gatv2: Any = torch.ops.sparsegnn.gatv2.default
        structure, att, slope = self.matrix.structure(), self.att, self.negative_slope
        heads, channels = att.shape

        def run(source: Tensor, target: Tensor) -> Tensor:
            pair = source.view(-1, heads, channels), target.view(-1, heads, channels)
            out: Tensor = gatv2(*structure, *pair, att, None, slope, 0.0, None)[0]
            return out.flatten(1)

        return run


class SoftmaxAggregation(GraphStep):
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
        super().__init__(matrix, epilogue)
        self.eps = eps
        self.register_buffer("t", t.expand(width).contiguous())
        self.label = f"softmax aggregation {width} wide{self.epilogue}"
        self._count(2 * matrix.nnz * width)

    @classmethod
    def of(cls, operation: Any, width: int, sizes: Sizes, epilogue: Epilogue) -> Step:
        """That of a `SoftmaxMean`."""
        return cls(operation.matrix, width, operation.t, operation.eps, epilogue)

    def kernel(self) -> Run:
        """Binds the graph and the temperature."""
        aggregate: Any = torch.ops.sparsegnn.softmax_aggregate.default
        structure, t, eps = self.matrix.structure(), self.t, self.eps

        def run(h: Tensor) -> Tensor:
            out: Tensor = aggregate(*structure, h, t, None, True, eps, False)[0]
            return out

        return run


class ExtremeMessage(GraphStep):
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
        super().__init__(matrix, epilogue)
        self.weighted, self.smallest = weighted, smallest
        self.label = f"{'min' if smallest else 'max'} {width} wide{self.epilogue}"
        self._count(matrix.nnz * width)

    @classmethod
    def of(cls, operation: Any, width: int, sizes: Sizes, epilogue: Epilogue) -> Step:
        """That of an `Extreme`."""
        kind = {"weighted": operation.weighted, "smallest": operation.smallest}
        return cls(operation.matrix, width, **kind, epilogue=epilogue)

    def kernel(self) -> Run:
        """Binds the graph."""
        extreme: Any = torch.ops.sparsegnn.spmm_extreme.default
        structure, smallest = self.matrix.structure(), self.smallest
        value = self.matrix.value if self.weighted else None

        def run(h: Tensor) -> Tensor:
            out: Tensor = extreme(*structure, h, value, None, None, smallest, False)[0]
            return out

        return run
