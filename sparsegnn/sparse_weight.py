"""Sparse weights of linear layers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sparsegnn._csr_checks import check_csr_tensors
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
        self.register_load_state_dict_pre_hook(_check_state)  # type: ignore[no-untyped-call]

    @staticmethod
    def from_dense(weight: Tensor, mask: Tensor | None = None) -> SparseWeight:
        """Keeps the entries where `mask` is true, by default the non-zero ones.

        Args:
            weight: Floating `[out_features, in_features]`.
            mask: bool of the same shape.
        """
        if not isinstance(weight, Tensor):
            raise TypeError(f"weight must be a floating matrix, got {type(weight).__name__}.")
        if weight.dim() != 2 or not weight.is_floating_point():
            raise ValueError(
                f"weight must be a floating matrix [out, in], got {weight.dtype} of shape "
                f"{list(weight.shape)}."
            )
        keep = weight.detach().ne(0) if mask is None else mask
        if not isinstance(keep, Tensor):
            raise TypeError(f"mask must be bool, got {type(keep).__name__}.")
        if keep.dtype != torch.bool or keep.shape != weight.shape:
            raise ValueError(
                f"mask must be bool of shape {list(weight.shape)}, got {keep.dtype} of shape "
                f"{list(keep.shape)}."
            )
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


def _check_state(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Indices of a state dict are checked before any is copied; torch compares the shapes."""
    assert isinstance(module, SparseWeight)
    own = module.csr
    loaded = CsrTensors(
        *(
            None if tensor is None else state.get(prefix + name, tensor)
            for name, tensor in own._asdict().items()
        )  # type: ignore[arg-type]
    )
    if _shapes(own) == _shapes(loaded):
        check_csr_tensors(loaded)


def _shapes(csr: CsrTensors) -> list[torch.Size | None]:
    return [None if tensor is None else tensor.shape for tensor in csr]
