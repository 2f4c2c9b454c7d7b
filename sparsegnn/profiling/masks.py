"""Random masks of any sparsity, each within those that are less sparse."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from sparsegnn.profiling.subject import Pruned, Subject


class RandomMasks:
    """Prunes the weight matrices of a model and the edges of its graph at random.

    Every matrix loses the same share, exactly; biases and attention vectors stay. Both directions
    of an edge stay or go together. Ranks are drawn once: what goes at one sparsity also goes at
    every higher one.

    Args:
        subject: What is pruned.
        seed: Of the ranks.
    """

    def __init__(self, subject: Subject, seed: int = 0) -> None:
        self._subject = subject
        generator = torch.Generator().manual_seed(seed)
        self._pair, num_pairs = subject.data.graph.pairs()
        self._edge_ranks = torch.randperm(num_pairs, generator=generator)
        self._weight_ranks = {
            name: torch.randperm(value.numel(), generator=generator).view(value.shape)
            for name, value in subject.model.named_parameters()
            if value.dim() == 2
        }

    def prune(self, graph_sparsity: float, weight_sparsity: float) -> Pruned:
        """The model and the edges at these shares of what goes, in [0, 1)."""
        model = copy.deepcopy(self._subject.model)
        with torch.no_grad():
            for name, ranks in self._weight_ranks.items():
                model.get_parameter(name).mul_(_kept(ranks, weight_sparsity))
        edges = None
        if graph_sparsity > 0:
            edges = _kept(self._edge_ranks, graph_sparsity)[self._pair]
        return Pruned(graph_sparsity, weight_sparsity, model, edges)


def _kept(ranks: Tensor, sparsity: float) -> Tensor:
    return ranks >= round(sparsity * ranks.numel())
