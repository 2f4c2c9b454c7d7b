"""Float64 logits of the two-layer GCN, the yardstick of every forward pass."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bench.inputs import NodeTask
from bench.peers.gcn import GcnWeights, normalised_adjacency


def exact_logits(task: NodeTask, edge_index: Tensor, weights: GcnWeights) -> Tensor:
    """Logits [N, classes] on the given edges."""
    adjacency = normalised_adjacency(edge_index, task.num_nodes, np.float64)
    first, second = (w.double().numpy().T for w in (weights.first, weights.second))
    hidden = np.maximum(adjacency @ (task.x.astype(np.float64) @ first), 0.0)
    return torch.from_numpy(adjacency @ (hidden @ second))
