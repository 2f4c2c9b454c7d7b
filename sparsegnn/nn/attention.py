"""What attention layers share: graphs with exactly one loop per node, edge features, scores."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from sparsegnn.graph import Graph
from sparsegnn.mask import Mask
from sparsegnn.ops import spmm
from sparsegnn.ops._edge_values import EdgeMask
from sparsegnn.sparse_matrix import SparseMatrix

FillValue = float | Tensor | str


class LoopedEdges(NamedTuple):
    """A graph with one loop per node, and the edges of the original that it keeps, in order."""

    graph: Graph
    kept: Tensor  # int64 [E - existing loops]
    num_loops: int

    def extend_mask(self, edge_mask: EdgeMask) -> Tensor | None:
        """A mask of the original edges for the new ones; loops are never dropped."""
        if edge_mask is None:
            return None
        keep = edge_mask.to_bool() if isinstance(edge_mask, Mask) else edge_mask
        return torch.cat([keep[self.kept], keep.new_ones(self.num_loops)])

    def extend_features(self, edge_attr: Tensor, fill: FillValue, keep: Tensor | None) -> Tensor:
        """Edge features `[E, D]` for the new edges; those of the loops come from `fill`."""
        known = edge_attr[self.kept]
        return torch.cat([known, self._loop_features(known, fill, keep)])

    def _loop_features(self, known: Tensor, fill: FillValue, keep: Tensor | None) -> Tensor:
        size = (self.num_loops, *known.shape[1:])
        if isinstance(fill, Tensor):
            return fill.to(known).expand(size)
        if not isinstance(fill, str):
            return known.new_full(size, fill)
        from torch_geometric.utils import scatter

        target = self.graph.edge_index[1, : known.shape[0]]
        if keep is not None:
            kept = keep[: known.shape[0]]
            known, target = known[kept], target[kept]
        result: Tensor = scatter(known, target, 0, self.num_loops, fill)
        return result


def with_one_loop_each(graph: Graph, num_loops: int) -> LoopedEdges:
    """Replaces all loops by one at each of the first `num_loops` nodes, as PyG does; cached."""
    key = ("one_loop_each", num_loops)
    cached = graph._cache.get(key)
    if cached is None:
        with torch.inference_mode(False):
            edges = graph.edge_index
            kept = (edges[0] != edges[1]).nonzero().squeeze(1)
            loops = torch.arange(num_loops, device=edges.device).expand(2, -1)
            looped = Graph.from_edge_index(
                torch.cat([edges[:, kept], loops], dim=1),
                num_src=graph.num_src,
                num_dst=graph.num_dst,
            )
            cached = graph._cache[key] = LoopedEdges(looped, kept, num_loops)
    result: LoopedEdges = cached
    return result


def head_scores(x: Tensor, *attention: Tensor) -> tuple[Tensor, ...]:
    """`[N, H]` dot products of x `[N, H, D]` with each vector `[1, H, D]`, as one narrow product.

    A product per vector would read x once for each, forward and backward. As a linear map its
    gradient is the product of a few long rows with x, the faster way round.
    """
    rows = _block_rows(*attention)
    scores = torch.nn.functional.linear(x.reshape(x.shape[0], rows.shape[1]), rows)
    return tuple(scores.unflatten(1, (len(attention), -1)).unbind(1))


def head_scores_of_sparse(
    x: SparseMatrix, weight: Tensor, *attention: Tensor
) -> tuple[Tensor, ...]:
    """`head_scores` of `x W^T`, from `W^T a`.

    What is as large as `x W^T` is neither read nor given a second gradient.
    """
    vectors = weight.t() @ _block_rows(*attention).t()
    scores = spmm(x.pattern, vectors, edge_weight=x.values)
    return tuple(scores.unflatten(1, (len(attention), -1)).unbind(1))


def _block_rows(*attention: Tensor) -> Tensor:
    """`[A * H, H * D]`: every vector in the columns of its head."""
    heads, width = attention[0].shape[1:]
    stacked = torch.cat(attention)
    eye = torch.eye(heads, dtype=stacked.dtype, device=stacked.device)
    return (eye.view(heads, heads, 1) * stacked.unsqueeze(1)).reshape(-1, heads * width)
