"""UGS mask training of a GCN with dense N x N arithmetic, as the method was first published.

Every mask is a dense tensor, nothing is ever removed, and the degree scaling is two products with
a diagonal matrix: 2 N^3 multiply-adds each. Written from the published description of the
algorithm; it shares no code with the package.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench.inputs import NodeTask
from bench.peers.gcn import GcnWeights


@dataclass(frozen=True)
class MaskTraining:
    """Hyper-parameters of the mask stage (Cora)."""

    lr: float = 0.008
    weight_decay: float = 8e-5
    graph_l1: float = 1e-2
    weight_l1: float = 1e-2
    dropout: float = 0.5
    graph_rate: float = 0.05
    weight_rate: float = 0.20
    noise: float = 1e-5


class DenseUgs:
    """State and epoch of one mask-training stage.

    Args:
        task: Graph, features and labels; `adjacency[source, target]` is 1 for every arc.
        weights: Initial weights.
        settings: Hyper-parameters.
        dtype: float32 to time it, float64 to compare it.
        seed: Seed of the mask noise and of dropout.
    """

    def __init__(
        self,
        task: NodeTask,
        weights: GcnWeights,
        settings: MaskTraining | None = None,
        dtype: torch.dtype = torch.float32,
        seed: int = 0,
    ) -> None:
        self.settings = settings or MaskTraining()
        self.task = task
        self.generator = torch.Generator().manual_seed(seed)
        count = task.num_nodes
        source, target = task.edge_index
        self.x = task.dense_x().to(dtype)
        self.adjacency = torch.zeros(count, count, dtype=dtype)
        self.adjacency[source, target] = 1.0
        self.identity = torch.eye(count, dtype=dtype)
        self.weights = [
            w.to(dtype).clone().requires_grad_() for w in (weights.first, weights.second)
        ]
        self.graph_fixed = (self.adjacency != 0).to(dtype)
        self.weight_fixed = [torch.ones_like(w) for w in self.weights]
        self.graph_mask = self._noisy(self.graph_fixed)
        self.weight_masks = [self._noisy(mask) for mask in self.weight_fixed]
        self.best_val = -1.0
        self.snapshot: tuple[Tensor, list[Tensor]] | None = None
        self.optimizer = torch.optim.Adam(
            [*self.weights, self.graph_mask, *self.weight_masks],
            lr=self.settings.lr,
            weight_decay=self.settings.weight_decay,
        )

    def forward(self, training: bool) -> Tensor:
        """Logits [N, classes]; propagation first, then the weight."""
        masked = self.adjacency * self.graph_mask * self.graph_fixed + self.identity
        scale = masked.sum(dim=1).pow(-0.5)
        scale = torch.where(torch.isinf(scale), torch.zeros_like(scale), scale)
        diagonal = torch.diag(scale)
        propagation = (masked @ diagonal).t() @ diagonal
        first, second = (
            weight * mask * fixed
            for weight, mask, fixed in zip(
                self.weights, self.weight_masks, self.weight_fixed, strict=True
            )
        )
        hidden = torch.relu((propagation @ self.x) @ first.t())
        hidden = torch.nn.functional.dropout(hidden, self.settings.dropout, training)
        return (propagation @ hidden) @ second.t()

    def backward(self, training: bool = True) -> Tensor:
        """Loss and gradients of one step, the L1 terms added by sign; gives the loss."""
        self.optimizer.zero_grad()
        train = self.task.train_mask
        logits = self.forward(training)
        loss = torch.nn.functional.cross_entropy(logits[train], self.task.y[train])
        loss.backward()
        _add_l1(self.graph_mask, self.settings.graph_l1)
        for mask in self.weight_masks:
            _add_l1(mask, self.settings.weight_l1)
        return loss.detach()

    def epoch(self) -> Tensor:
        """One epoch: a step, then validation, then the pruned masks if it is the best so far."""
        loss = self.backward()
        self.optimizer.step()
        accuracy = self.validate()
        if accuracy > self.best_val:
            self.best_val = accuracy
            self.snapshot = self.pruned_masks()
        return loss

    def validate(self) -> float:
        """Accuracy on the validation nodes with the soft masks."""
        val = self.task.val_mask
        with torch.no_grad():
            predicted = self.forward(training=False)[val].argmax(dim=1)
        return float((predicted == self.task.y[val]).to(torch.float32).mean())

    def pruned_masks(self) -> tuple[Tensor, list[Tensor]]:
        """Binary masks without the smallest share of what the fixed masks keep."""
        settings = self.settings
        with torch.no_grad():
            graph = self.graph_mask.abs() * self.graph_fixed
            weights = [
                mask.abs() * fixed
                for mask, fixed in zip(self.weight_masks, self.weight_fixed, strict=True)
            ]
            graph_limit = _threshold([graph], settings.graph_rate)
            weight_limit = _threshold(weights, settings.weight_rate)
            return graph > graph_limit, [mask > weight_limit for mask in weights]

    def _noisy(self, mask: Tensor) -> Tensor:
        noise = 2.0 * torch.rand(mask.shape, generator=self.generator, dtype=mask.dtype) - 1.0
        return (mask * (1.0 + self.settings.noise * noise)).requires_grad_()


def _add_l1(mask: Tensor, strength: float) -> None:
    if mask.grad is None:
        raise RuntimeError("mask.grad: expected a gradient after backward, got none")
    mask.grad.add_(torch.sign(mask.detach()), alpha=strength)


def _threshold(scores: list[Tensor], rate: float) -> Tensor:
    values = torch.cat([score[score != 0] for score in scores]).sort().values
    return values[int(values.numel() * rate)]
