"""Exact selection of the largest scores over many tensors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sparsegnn.ops._library import call, register_fake


def topk_mask(scores: Sequence[Tensor], k: int) -> list[Tensor]:
    """Marks the k largest scores over all tensors together.

    Equal scores (+0 equals -0) are taken by lowest position, tensors counted in the given order;
    NaN ranks below every number. The same mask on every device and any thread count.

    Args:
        scores: Tensors of one floating dtype and device, any shapes.
        k: How many to keep, between 0 and the total number of scores.

    Returns:
        A bool tensor for each score tensor, with exactly k ones over all of them.

    Raises:
        ValueError: k is out of range, or dtypes or devices differ.
    """
    if isinstance(k, bool) or not isinstance(k, int):
        raise TypeError(f"k must be an int, got {type(k).__name__}.")
    tensors = [score.detach() for score in scores]
    if not tensors:
        raise ValueError("scores must hold at least one tensor, got an empty list.")
    return call(torch.ops.sparsegnn.topk_mask.default, tensors, k)  # type: ignore[no-any-return]


@register_fake("sparsegnn::topk_mask")
def _topk_fake(scores: list[Tensor], k: int) -> list[Tensor]:
    return [torch.empty(s.shape, dtype=torch.bool, device=s.device) for s in scores]
