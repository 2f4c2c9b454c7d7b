"""The largest entries of a linear layer's weight gradient, without the dense gradient."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sparsegnn.ops._typed import check_int, typed
from sparsegnn.ops.topk import topk_mask

# Entries of a tile, about 4 MB of float32.
_TILE_ENTRIES = 1 << 20


@typed
def grow_scores_topk(
    x: Tensor, dy: Tensor, active_mask: Tensor, k: int, *, tile_rows: int | None = None
) -> Tensor:
    """Positions of the k inactive weights with the largest |gradient|, computed tile by tile.

    The gradient of the weight `[O, K]` of a linear layer is `dy^T x`. Rows of it are formed in one
    reused buffer and only the best candidates so far are remembered: memory is O(k + tile) instead
    of O * K. The order is that of `topk_mask`: equal magnitudes by lowest position, NaN last.

    Args:
        x: `[N, K]` input of the layer.
        dy: `[N, O]` gradient of its output, the dtype of x.
        active_mask: bool or uint8 `[O, K]`: weights that cannot grow.
        k: How many positions; fewer are returned when fewer weights are inactive.
        tile_rows: Rows of the gradient formed at a time; by default about a million entries.

    Returns:
        int64 positions in the flattened weight, ascending.

    Raises:
        ValueError: A shape or k does not fit.
    """
    _check(x, dy, active_mask, k)
    outputs, width = active_mask.shape
    rows = tile_rows if tile_rows is not None else max(1, _TILE_ENTRIES // max(width, 1))
    if rows < 1:
        raise ValueError(f"tile_rows must be at least 1, got {rows}.")
    buffer = x.new_empty(min(rows, outputs), width)
    best = _Candidates(x.detach(), k)
    for first in range(0, outputs, rows):
        tile = buffer[: min(rows, outputs - first)]
        torch.mm(dy.detach()[:, first : first + rows].t(), x.detach(), out=tile)
        best.add(tile.abs_(), active_mask[first : first + rows], first * width)
    return best.positions()


class _Candidates:
    """The best entries so far, at most k after each tile, by ascending position."""

    def __init__(self, like: Tensor, k: int) -> None:
        self._k = k
        self._bound = -math.inf  # an entry must pass it to replace one of k
        self._values = like.new_empty(0)
        self._positions = torch.empty(0, dtype=torch.int64, device=like.device)

    def add(self, scores: Tensor, active: Tensor, offset: int) -> None:
        eligible = active == 0
        if self._bound > -math.inf:
            # An equal entry loses: its position is higher than those of the candidates.
            eligible &= scores > self._bound
        chosen = eligible.reshape(-1).nonzero().squeeze(1)
        self._values = torch.cat([self._values, scores.reshape(-1)[chosen]])
        self._positions = torch.cat([self._positions, chosen + offset])
        if self._values.numel() > self._k:
            self._reduce()

    def positions(self) -> Tensor:
        return self._positions

    def _reduce(self) -> None:
        (keep,) = topk_mask([self._values], self._k)
        self._values, self._positions = self._values[keep], self._positions[keep]
        lowest = float(self._values.min()) if self._k > 0 else math.inf
        self._bound = -math.inf if math.isnan(lowest) else lowest


def _check(x: Tensor, dy: Tensor, active_mask: Tensor, k: int) -> None:
    check_int("k", k)
    if x.dim() != 2 or dy.dim() != 2 or x.shape[0] != dy.shape[0]:
        raise ValueError(
            f"dy must have shape [{x.shape[0] if x.dim() else 0}, O] beside x {list(x.shape)}, "
            f"got {list(dy.shape)}."
        )
    if dy.dtype != x.dtype:
        raise ValueError(f"dy must have the dtype of x, {x.dtype}, got {dy.dtype}.")
    if active_mask.dtype not in (torch.bool, torch.uint8):
        raise TypeError(f"active_mask must be bool or uint8, got {active_mask.dtype}.")
    if active_mask.shape != (dy.shape[1], x.shape[1]):
        raise ValueError(
            f"active_mask must have shape [{dy.shape[1]}, {x.shape[1]}], "
            f"got {list(active_mask.shape)}."
        )
    if not 0 <= k <= active_mask.numel():
        raise ValueError(f"k must lie in [0, {active_mask.numel()}], got {k}.")
