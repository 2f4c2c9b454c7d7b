"""The index tensors of a graph."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class CsrTensors(NamedTuple):
    """The six tensors that stand for a graph in every operator schema."""

    rowptr: Tensor
    col: Tensor
    edge_id: Tensor | None
    t_rowptr: Tensor
    t_col: Tensor
    t_edge_id: Tensor | None

    def transposed(self) -> CsrTensors:
        """The same edges with sources and targets exchanged."""
        return CsrTensors(
            self.t_rowptr, self.t_col, self.t_edge_id, self.rowptr, self.col, self.edge_id
        )
