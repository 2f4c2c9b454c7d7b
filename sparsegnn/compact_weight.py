"""Weights of linear layers without their dead rows and columns."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CompactWeight(nn.Module):
    """The rows and columns of a weight `[out_features, in_features]` that hold a kept entry.

    Attributes:
        values: Parameter `[rows, cols]`, the kept rows and columns as a dense matrix.
        rows: int64 `[rows]`, the outputs they belong to, ascending.
        cols: int64 `[cols]`, the inputs they belong to, ascending.
    """

    rows: Tensor
    cols: Tensor

    def __init__(self, values: Tensor, rows: Tensor, cols: Tensor, shape: tuple[int, int]) -> None:
        super().__init__()
        if values.shape != (rows.numel(), cols.numel()):
            raise ValueError(
                f"values must have shape [{rows.numel()}, {cols.numel()}], got "
                f"{list(values.shape)}."
            )
        self.values = nn.Parameter(values.detach().clone())
        self.register_buffer("rows", rows)
        self.register_buffer("cols", cols)
        self.shape = shape

    @staticmethod
    def from_dense(weight: Tensor, mask: Tensor | None = None) -> CompactWeight:
        """Drops rows and columns in which `mask` is false, by default the all-zero ones.

        Entries of kept rows and columns are trained whether they are zero or not.

        Args:
            weight: Floating `[out_features, in_features]`.
            mask: bool of the same shape.
        """
        if weight.dim() != 2 or not weight.is_floating_point():
            raise ValueError(
                f"weight must be a floating matrix [out, in], got {weight.dtype} of shape "
                f"{list(weight.shape)}."
            )
        keep = weight.detach().ne(0) if mask is None else mask
        if keep.dtype != torch.bool or keep.shape != weight.shape:
            raise ValueError(
                f"mask must be bool of shape {list(weight.shape)}, got {keep.dtype} of shape "
                f"{list(keep.shape)}."
            )
        rows = keep.any(dim=1).nonzero().flatten()
        cols = keep.any(dim=0).nonzero().flatten()
        values = weight.detach()[rows][:, cols]
        if mask is not None:
            values = values * keep[rows][:, cols]
        return CompactWeight(values, rows, cols, (weight.shape[0], weight.shape[1]))

    def to_dense(self) -> Tensor:
        """Dense `[out_features, in_features]`, differentiable in the values."""
        dense = self.values.new_zeros(self.shape)
        return dense.index_put((self.rows.unsqueeze(1), self.cols), self.values)

    def extra_repr(self) -> str:
        """Shape before and after."""
        return f"shape={list(self.shape)}, kept={list(self.values.shape)}"
