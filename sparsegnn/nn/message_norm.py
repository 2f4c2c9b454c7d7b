"""Message normalisation."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class MessageNorm(nn.Module):
    """`s |x_i| m_i / |m_i|`, the message normalisation of DeeperGCN (arXiv 2006.07739).

    Args:
        learn_scale: Whether the factor s is learned.
    """

    def __init__(self, learn_scale: bool = False) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1), requires_grad=learn_scale)

    def reset_parameters(self) -> None:
        """A factor of 1."""
        nn.init.ones_(self.scale)

    def forward(self, x: Tensor, msg: Tensor) -> Tensor:
        """Scales the rows of `msg` to `scale` times the length of those of x."""
        length = x.norm(p=2.0, dim=-1, keepdim=True)
        scaled: Tensor = nn.functional.normalize(msg, p=2.0, dim=-1) * length * self.scale
        return scaled
