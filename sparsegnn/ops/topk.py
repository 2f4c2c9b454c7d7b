"""Exact selection of the largest scores over many tensors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sparsegnn.ops._library import call, register_fake
from sparsegnn.ops._typed import typed


@typed
def topk_mask(
    scores: Sequence[Tensor], k: int | Sequence[int], *, per_tensor: bool = False
) -> list[Tensor]:
    """Marks the k largest scores over all tensors together, or of each tensor.

    Equal scores (+0 equals -0) are taken by lowest position, tensors counted in the given order;
    NaN ranks below every number. The same mask on every device and any thread count.

    Args:
        scores: Tensors of one floating dtype and device, any shapes.
        k: How many to keep, between 0 and the total number of scores. With `per_tensor` how many
            of each tensor: one count for every tensor, or a sequence with one count for each.
        per_tensor: Select from each tensor on its own.

    Returns:
        A bool tensor for each score tensor, with exactly k ones over all of them (in each of them).

    Raises:
        ValueError: k is out of range, or dtypes or devices differ.
        TypeError: k is not an int, or a sequence of ints with `per_tensor`.
    """
    tensors = [score.detach() for score in scores]
    if len({tensor.device for tensor in tensors}) > 1:
        raise ValueError("scores must be on one device, got several.")
    if not tensors:
        raise ValueError("scores must hold at least one tensor, got an empty list.")
    counts = _counts(k, len(tensors)) if per_tensor else [_count(k)]
    return call(  # type: ignore[no-any-return]
        torch.ops.sparsegnn.topk_mask.default, tensors, counts, per_tensor
    )


def _counts(k: int | Sequence[int], tensors: int) -> list[int]:
    return [_count(count) for count in k] if isinstance(k, Sequence) else [_count(k)] * tensors


def _count(k: object) -> int:
    if isinstance(k, bool) or not isinstance(k, int):
        raise TypeError(f"k must be an int, got {type(k).__name__}.")
    if not -(2**63) <= k < 2**63:
        raise ValueError(f"k must fit in 64 bits, got {k}.")
    return k


@register_fake("sparsegnn::topk_mask")
def _topk_fake(scores: list[Tensor], k: list[int], per_tensor: bool) -> list[Tensor]:
    return [torch.empty(s.shape, dtype=torch.bool, device=s.device) for s in scores]
