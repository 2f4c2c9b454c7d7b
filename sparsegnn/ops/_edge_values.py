"""Splits the user's edge mask into what the kernels take: a soft mask or packed bits."""

from __future__ import annotations

import torch
from torch import Tensor

from sparsegnn.mask import Mask
from sparsegnn.ops._vmap import is_batched

EdgeMask = Tensor | Mask | None


def split_mask(edge_mask: EdgeMask, num_edges: int) -> tuple[Tensor | None, Tensor | None]:
    """Returns (soft mask or None, packed bits or None)."""
    if edge_mask is None:
        return None, None
    if isinstance(edge_mask, Tensor) and edge_mask.dtype == torch.bool:
        if is_batched(edge_mask):
            raise ValueError(
                "edge_mask must be one mask for a batch of torch.vmap unless it is floating point, "
                "got a batch of bool masks."
            )
        edge_mask = Mask.from_bool(edge_mask)
    if isinstance(edge_mask, Mask):
        if edge_mask.shape != (num_edges,):
            raise ValueError(
                f"edge_mask must have shape [{num_edges}], got {list(edge_mask.shape)}."
            )
        return None, edge_mask.packed
    if not edge_mask.is_floating_point():
        raise TypeError(f"edge_mask must be bool, floating point or a Mask, got {edge_mask.dtype}.")
    return edge_mask, None


def split_bits(edge_mask: EdgeMask, num_edges: int) -> Tensor | None:
    """The packed bits of a mask that only keeps or drops; a floating mask is an error."""
    soft, bits = split_mask(edge_mask, num_edges)
    if soft is not None:
        raise TypeError(f"edge_mask must be bool or a Mask, got {soft.dtype}.")
    return bits
