"""Block-sparse weights of linear layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sparsegnn._weight_checks import (
    check_dense,
    check_pattern_state,
    check_values,
    kept_entries,
)
from sparsegnn.graph import CsrTensors, Graph

BLOCKS = (16, 32, 64)


class BlockWeight(nn.Module):
    """A weight `[out_features, in_features]` of square blocks that are kept or absent as a whole.

    Attributes:
        values: Parameter `[blocks, b, b]`, the kept blocks from top to bottom and left to right.
    """

    def __init__(self, pattern: Graph, values: Tensor) -> None:
        super().__init__()
        if not isinstance(pattern, Graph):
            raise TypeError(f"pattern must be a Graph, got {type(pattern).__name__}.")
        check_values(values, pattern.device)
        if values.dim() != 3 or values.shape[1] not in BLOCKS or values.shape[1] != values.shape[2]:
            raise ValueError(
                f"values must have shape [blocks, b, b] with b 16, 32 or 64, got "
                f"{list(values.shape)}."
            )
        if values.shape[0] != pattern.num_edges:
            raise ValueError(
                f"values must hold {pattern.num_edges} blocks, got {list(values.shape)}."
            )
        stored = pattern.in_storage_order()
        self.values = nn.Parameter(values.detach().clone()[pattern.canonical_order()])
        for name, tensor in zip(CsrTensors._fields, stored.csr, strict=True):
            self.register_buffer(name, tensor)
        self.register_load_state_dict_pre_hook(check_pattern_state)  # type: ignore[no-untyped-call]

    @staticmethod
    def from_dense(weight: Tensor, block: int = 32, mask: Tensor | None = None) -> BlockWeight:
        """Keeps the blocks in which `mask` holds a true entry, by default a non-zero one.

        Entries of a kept block are trained whether they are zero or not.

        Args:
            weight: Floating `[out_features, in_features]`, both multiples of `block`.
            block: 16, 32 or 64.
            mask: bool of the same shape.

        Raises:
            ValueError: A size is no multiple of the block, or the mask does not fit.
        """
        check_dense(weight)
        if isinstance(block, bool) or not isinstance(block, int):
            raise TypeError(f"block must be an int, got {type(block).__name__}.")
        if block not in BLOCKS:
            raise ValueError(f"block must be 16, 32 or 64, got {block}.")
        if weight.shape[0] % block or weight.shape[1] % block:
            raise ValueError(
                f"weight must have sizes that are multiples of {block}, got {list(weight.shape)}."
            )
        keep = kept_entries(weight, mask)
        row, col = in_blocks(keep, block).flatten(2).any(dim=2).nonzero(as_tuple=True)
        rows, cols = weight.shape[0] // block, weight.shape[1] // block
        pattern = Graph.from_edge_index(torch.stack([col, row]), num_src=cols, num_dst=rows)
        return BlockWeight(pattern, in_blocks(weight.detach(), block)[row, col])

    @property
    def csr(self) -> CsrTensors:
        """The six index tensors of the pattern of blocks."""
        return CsrTensors(*(getattr(self, name) for name in CsrTensors._fields))

    @property
    def block(self) -> int:
        """Side of a block."""
        return self.values.shape[1]

    @property
    def shape(self) -> tuple[int, int]:
        """(out_features, in_features)."""
        csr = self.csr
        return (csr.rowptr.numel() - 1) * self.block, (csr.t_rowptr.numel() - 1) * self.block

    @property
    def nnz(self) -> int:
        """Number of entries in kept blocks."""
        return self.values.numel()

    def to_dense(self) -> Tensor:
        """Dense `[out_features, in_features]`, differentiable in the values."""
        row = torch.repeat_interleave(self.csr.rowptr.diff().long())
        rows, cols = (size // self.block for size in self.shape)
        blocks = self.values.new_zeros(rows, cols, self.block, self.block)
        blocks = blocks.index_put((row, self.csr.col.long()), self.values)
        return blocks.transpose(1, 2).reshape(self.shape)

    def extra_repr(self) -> str:
        """Shape, side of a block and number of kept blocks."""
        return f"shape={list(self.shape)}, block={self.block}, blocks={self.values.shape[0]}"


def in_blocks(matrix: Tensor, block: int) -> Tensor:
    """View `[rows / b, cols / b, b, b]`."""
    blocks: Tensor = matrix.unflatten(0, (-1, block)).unflatten(2, (-1, block)).transpose(1, 2)
    return blocks
