"""The mask-training epoch of `dense_ugs` on an edge list, in plain torch.

The same maths without the package: what a careful user can reach with index_add and
`torch.sparse`. It separates what the edge list brings from what the package's kernels bring.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bench.inputs import NodeTask
from bench.peers.aggregate import to_torch_csr
from bench.peers.dense_ugs import MaskTraining
from bench.peers.gcn import GcnWeights, _product


class EdgeUgs:
    """State and epoch of one mask-training stage over E edge masks, all edges and weights kept."""

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
        self.x = to_torch_csr(task.x, torch.int64).to(dtype)
        self.x_t = to_torch_csr(task.x.T.tocsr(), torch.int64).to(dtype)
        self.weights = [
            w.to(dtype).clone().requires_grad_() for w in (weights.first, weights.second)
        ]
        edges = torch.ones(task.edge_index.shape[1], dtype=dtype)
        self.graph_mask = self._noisy(edges)
        self.weight_masks = [self._noisy(torch.ones_like(w)) for w in self.weights]
        self.best_val = -1.0
        self.snapshot: tuple[Tensor, list[Tensor]] | None = None
        self.optimizer = torch.optim.Adam(
            [*self.weights, self.graph_mask, *self.weight_masks],
            lr=self.settings.lr,
            weight_decay=self.settings.weight_decay,
            fused=True,
        )

    def forward(self, training: bool) -> Tensor:
        """Logits [N, classes]; the weight first, then propagation."""
        first, second = (w * m for w, m in zip(self.weights, self.weight_masks, strict=True))
        source, target = self.task.edge_index
        degree = torch.ones(self.task.num_nodes, dtype=first.dtype)
        scale = degree.index_add(0, source, self.graph_mask).pow(-0.5)
        scale = torch.where(torch.isinf(scale), torch.zeros_like(scale), scale)
        edge = self.graph_mask * scale[source] * scale[target]
        loop = (scale * scale).unsqueeze(1)

        def propagate(h: Tensor) -> Tensor:
            return (h * loop).index_add(0, target, h[source] * edge.unsqueeze(1))

        hidden = torch.relu(propagate(_product(self.x, self.x_t, first.t().contiguous())))
        hidden = torch.nn.functional.dropout(hidden, self.settings.dropout, training)
        return propagate(hidden @ second.t())

    def backward(self, training: bool = True) -> Tensor:
        """Loss and gradients of one step, the L1 terms added by sign; gives the loss."""
        self.optimizer.zero_grad()
        train = self.task.train_mask
        logits = self.forward(training)
        loss = torch.nn.functional.cross_entropy(logits[train], self.task.y[train])
        loss.backward()
        strengths = (self.settings.graph_l1, self.settings.weight_l1, self.settings.weight_l1)
        for mask, strength in zip((self.graph_mask, *self.weight_masks), strengths, strict=True):
            if mask.grad is None:
                raise RuntimeError("mask.grad: expected a gradient after backward, got none")
            mask.grad.add_(torch.sign(mask.detach()), alpha=strength)
        return loss.detach()

    def epoch(self) -> Tensor:
        """One epoch: a step, then validation, then the pruned masks if it is the best so far."""
        loss = self.backward()
        self.optimizer.step()
        val = self.task.val_mask
        with torch.no_grad():
            predicted = self.forward(training=False)[val].argmax(dim=1)
        accuracy = float((predicted == self.task.y[val]).to(torch.float32).mean())
        if accuracy > self.best_val:
            self.best_val = accuracy
            self.snapshot = self._pruned_masks()
        return loss

    def _pruned_masks(self) -> tuple[Tensor, list[Tensor]]:
        with torch.no_grad():
            graph = self.graph_mask.abs()
            weights = [mask.abs() for mask in self.weight_masks]
            flat = torch.cat([mask.flatten() for mask in weights])
            graph_limit = _smallest(graph, self.settings.graph_rate)
            weight_limit = _smallest(flat, self.settings.weight_rate)
            return graph > graph_limit, [mask > weight_limit for mask in weights]

    def _noisy(self, mask: Tensor) -> Tensor:
        noise = 2.0 * torch.rand(mask.shape, generator=self.generator, dtype=mask.dtype) - 1.0
        return (mask * (1.0 + self.settings.noise * noise)).requires_grad_()


def _smallest(values: Tensor, rate: float) -> Tensor:
    return values.kthvalue(int(values.numel() * rate) + 1).values
