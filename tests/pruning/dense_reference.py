"""The published UGS forward pass on dense N x N matrices, for comparison; shares no code."""

from __future__ import annotations

import torch
from torch import Tensor


def dense_forward(
    adjacency: Tensor, mask: Tensor, x: Tensor, weights: list[Tensor], weight_masks: list[Tensor]
) -> Tensor:
    """Logits ``[N, C]``.

    Args:
        adjacency: 0/1 ``[N, N]``, entry (i, j) as stored.
        mask: soft mask ``[N, N]``.
        x: features ``[N, F]``.
        weights: one ``[in, out]`` per layer.
        weight_masks: their soft masks.
    """
    nodes = adjacency.shape[0]
    masked = adjacency * mask + torch.eye(nodes, dtype=adjacency.dtype)
    scale = masked.sum(dim=1) ** -0.5
    scale[torch.isinf(scale)] = 0.0
    diagonal = torch.diag(scale)
    propagation = (masked @ diagonal).t() @ diagonal
    hidden = x
    for depth, (weight, weight_mask) in enumerate(zip(weights, weight_masks, strict=True)):
        hidden = (propagation @ hidden) @ (weight * weight_mask)
        if depth + 1 < len(weights):
            hidden = torch.relu(hidden)
    return hidden
