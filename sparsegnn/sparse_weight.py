"""Sparse weights of linear layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sparsegnn._weight_checks import check_dense, check_pattern_state, kept_entries
from sparsegnn.graph import CsrTensors, Graph
from sparsegnn.sparse_matrix import check_entries


class SparseWeight(nn.Module):
    """A weight matrix `[out_features, in_features]` whose kept entries are one trainable vector.

    Attributes:
        values: Parameter `[nnz]` in row-major order of the kept entries.
    """

    def __init__(self, pattern: Graph, values: Tensor) -> None:
        super().__init__()
        check_entries(pattern, values)
        stored = pattern.in_storage_order()
        self.values = nn.Parameter(values.detach().clone()[pattern.canonical_order()])
        for name, tensor in zip(CsrTensors._fields, stored.csr, strict=True):
            self.register_buffer(name, tensor)
        self.register_load_state_dict_pre_hook(check_pattern_state)  # type: ignore[no-untyped-call]

    @staticmethod
    def from_dense(weight: Tensor, mask: Tensor | None = None) -> SparseWeight:
        """Keeps the entries where `mask` is true, by default the non-zero ones.

        Args:
            weight: Floating `[out_features, in_features]`.
            mask: bool of the same shape.
        """
        check_dense(weight)
        keep = kept_entries(weight, mask)
        row, col = keep.nonzero(as_tuple=True)
        rows, cols = weight.shape
        pattern = Graph.from_edge_index(torch.stack([col, row]), num_src=cols, num_dst=rows)
        return SparseWeight(pattern, weight.detach()[row, col])

    @property
    def csr(self) -> CsrTensors:
        """The six index tensors of the pattern."""
        return CsrTensors(*(getattr(self, name) for name in CsrTensors._fields))

    @property
    def shape(self) -> tuple[int, int]:
        """(out_features, in_features)."""
        return self.csr.rowptr.numel() - 1, self.csr.t_rowptr.numel() - 1

    @property
    def nnz(self) -> int:
        """Number of kept entries."""
        return self.values.numel()

    def to_dense(self) -> Tensor:
        """Dense `[out_features, in_features]`, differentiable in the values."""
        row = torch.repeat_interleave(self.csr.rowptr.diff().long())
        dense = self.values.new_zeros(self.shape)
        return dense.index_put((row, self.csr.col.long()), self.values)

    def extra_repr(self) -> str:
        """Shape and number of kept entries."""
        return f"shape={list(self.shape)}, nnz={self.nnz}"
