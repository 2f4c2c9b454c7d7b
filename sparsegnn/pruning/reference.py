"""Arithmetic of the published UGS code for GCNs, on the edge list.

It differs from the default in these ways, all of them visible in results (Chen et al., 2021,
and the code released with it):

* an entry (i, j) carries a message from i to j, but is scaled by the degree of its *row*:
  ``P_ij = B_ji d_i d_j`` with ``B = A * mask + I`` and ``d`` the inverse root of B's row sums,
  infinities set to 0. With masks that differ by direction this is not the usual normalisation;
* masks start at ``1 + u``, u uniform in [-1e-5, 1e-5], are not clamped, and may turn degrees
  negative and logits into NaN;
* the threshold is the element at index ``int(n * rate)`` of the sorted magnitudes, and only what
  is strictly larger stays: at least one too many is removed, and every tie of the threshold;
* every stored entry is pruned on its own, stored self loops included.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sparsegnn import ops
from sparsegnn.graph import Graph
from sparsegnn.sparse_matrix import SparseMatrix

NOISE = 1e-5


def initial_mask(count: int, like: Tensor) -> Tensor:
    """Mask values ``[count]`` of ``1 + u``, u uniform in [-1e-5, 1e-5], dtype of ``like``."""
    noise = torch.rand(count, dtype=like.dtype, device=like.device)
    return 1.0 + (2.0 * noise - 1.0) * NOISE


def threshold_select(scores: Sequence[Tensor], rate: float) -> list[Tensor]:
    """Keep what is strictly above the element at index ``int(n * rate)`` of the nonzero scores."""
    flat = torch.cat([score.reshape(-1) for score in scores])
    ranked = flat[flat != 0].sort().values
    if ranked.numel() == 0:
        return [torch.zeros_like(score, dtype=torch.bool) for score in scores]
    threshold = ranked[int(ranked.numel() * rate)]
    return [score > threshold for score in scores]


def reference_norm(graph: Graph, edge_weight: Tensor | None, like: Tensor) -> tuple[Tensor, Tensor]:
    """Values of P at the stored edges ``[E]`` and at the added self loops ``[N]``."""
    source, target = graph.edge_index
    weight = like.new_ones(graph.num_edges) if edge_weight is None else edge_weight
    degree = weight.new_ones(graph.num_nodes).index_add(0, source, weight)
    scale = degree.pow(-0.5)
    scale = torch.where(torch.isinf(scale), torch.zeros_like(scale), scale)
    return weight * scale[source] * scale[target], scale * scale


class ReferenceForward(nn.Module):
    """A bias-free ``sparsegnn.nn.GCN`` evaluated with :func:`reference_norm`.

    Shares the layers of ``model``, and so its parameter names.

    Raises:
        TypeError: if ``model`` has no ``convs``, or a layer has a bias.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        convs = getattr(model, "convs", None)
        if not isinstance(convs, nn.ModuleList):
            raise TypeError(
                f"model_fn must return a GCN with reference=True, got {type(model).__name__}"
            )
        if any(getattr(conv, "bias", None) is not None for conv in convs):
            raise TypeError("model_fn must return a GCN with bias=False with reference=True")
        self.convs = convs
        self.dropout = float(getattr(model, "dropout", 0.0))

    def forward(
        self, x: Tensor | SparseMatrix, graph: Graph, edge_weight: Tensor | None = None
    ) -> Tensor:
        """Logits ``[N, C]``: propagate and transform, then ReLU and dropout on hidden layers."""
        like: Tensor = self.convs[0].lin.weight  # type: ignore[union-attr, assignment]
        edges, loops = reference_norm(graph, edge_weight, like)
        for depth, conv in enumerate(self.convs):
            hidden = _product(x, conv.lin.weight)  # type: ignore[union-attr, arg-type]
            hidden = ops.spmm(graph, hidden, edge_weight=edges) + loops[:, None] * hidden
            if depth + 1 < len(self.convs):
                hidden = F.dropout(F.relu(hidden), self.dropout, self.training)
            x = hidden
        return hidden


def _product(x: Tensor | SparseMatrix, weight: Tensor) -> Tensor:
    if isinstance(x, SparseMatrix):
        return ops.spmm(x.pattern, weight.t(), edge_weight=x.values)
    return x @ weight.t()
