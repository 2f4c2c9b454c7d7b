"""Graphs as CSR by target with a cached transpose."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sparsegnn import _host
from sparsegnn.mask import Mask

if TYPE_CHECKING:
    from torch_geometric.data import Data

# A graph whose counts stay under this limit uses 32-bit indices.
_INT32_LIMIT = 2**31 - 1


class CsrTensors(NamedTuple):
    """The six tensors that stand for a graph in every operator schema."""

    rowptr: Tensor
    col: Tensor
    edge_id: Tensor | None
    t_rowptr: Tensor
    t_col: Tensor
    t_edge_id: Tensor | None

    def transposed(self) -> CsrTensors:
        """The same edges with sources and targets exchanged."""
        return CsrTensors(
            self.t_rowptr, self.t_col, self.t_edge_id, self.rowptr, self.col, self.edge_id
        )


class Graph:
    """A directed (multi)graph or sparse pattern with `num_edges` edges from sources to targets.

    Edges keep the order in which they were given: edge weights and masks are vectors `[E]` in that
    order, whatever the storage order is. Parallel edges are kept and counted separately. Indices
    are checked once, here; the kernels trust them.

    What a graph caches is made of ordinary tensors also under `torch.inference_mode`, so a graph
    that was used for inference first can be trained on.

    Attributes:
        csr: The six index tensors (int32, or int64 when a count passes 2^31 - 1).
        num_dst: Number of targets, M.
        num_src: Number of sources, K; equal to M unless the graph is bipartite.
    """

    def __init__(self, csr: CsrTensors) -> None:
        """Wraps tensors that are known to be consistent; use the `from_*` constructors."""
        self.csr = csr
        self.num_dst = csr.rowptr.numel() - 1
        self.num_src = csr.t_rowptr.numel() - 1
        self._cache: dict[Any, Any] = {}

    # Construction

    @staticmethod
    def from_edge_index(
        edge_index: Tensor,
        num_nodes: int | None = None,
        *,
        num_src: int | None = None,
        num_dst: int | None = None,
    ) -> Graph:
        """Builds a graph from PyG's `edge_index`.

        Args:
            edge_index: Integer `[2, E]`: sources, then targets.
            num_nodes: Number of nodes; by default the largest index plus one.
            num_src: Number of sources of a bipartite graph (with `num_dst`).
            num_dst: Number of targets of a bipartite graph (with `num_src`).

        Raises:
            ValueError: An index is out of range (its position is named) or the shape is wrong.
            TypeError: `edge_index` is not an integer tensor.
        """
        edges = _as_edge_array(edge_index)
        if (num_src is None) != (num_dst is None):
            raise ValueError("num_src and num_dst must be given together, got only one of them.")
        if num_src is None or num_dst is None:
            if num_nodes is None:
                num_nodes = int(edges.max()) + 1 if edges.size else 0
            num_src = num_dst = int(num_nodes)
        graph = _build(edges[0], edges[1], num_src, num_dst)
        return graph.to(edge_index.device)

    @staticmethod
    def from_pyg(data: Data) -> Graph:
        """Builds a graph from a `torch_geometric.data.Data`."""
        if data.edge_index is None:
            raise ValueError("data must have an edge_index, got none.")
        return Graph.from_edge_index(data.edge_index, num_nodes=data.num_nodes)

    @staticmethod
    def from_csr(rowptr: Tensor, col: Tensor, num_cols: int) -> Graph:
        """Builds a pattern from CSR; edge k is the k-th stored entry.

        Args:
            rowptr: Integer `[M + 1]`, non-decreasing from 0 to E.
            col: Integer `[E]`, sources in `[0, num_cols)`.
            num_cols: Number of sources, K.
        """
        pointer = rowptr.detach().cpu().numpy().astype(np.int64)
        if pointer.ndim != 1 or pointer.size < 1 or pointer[0] != 0 or (np.diff(pointer) < 0).any():
            raise ValueError("rowptr must be a non-decreasing vector that starts at 0.")
        if pointer[-1] != col.numel():
            raise ValueError(
                f"rowptr must end with the number of columns {col.numel()}, got {pointer[-1]}."
            )
        target = np.repeat(np.arange(pointer.size - 1, dtype=np.int64), np.diff(pointer))
        source = col.detach().cpu().numpy().astype(np.int64)
        return _build(source, target, num_cols, pointer.size - 1).to(rowptr.device)

    @staticmethod
    def from_torch_csr(matrix: Tensor) -> Graph:
        """The pattern of a `torch.sparse_csr` matrix: entry (i, j) is the edge j -> i."""
        if matrix.layout != torch.sparse_csr or matrix.dim() != 2:
            raise TypeError(f"matrix must be a 2-D torch.sparse_csr tensor, got {matrix.layout}.")
        return Graph.from_csr(matrix.crow_indices(), matrix.col_indices(), matrix.shape[1])

    @staticmethod
    def from_scipy(matrix: Any) -> Graph:
        """The pattern of a SciPy sparse matrix: entry (i, j) is the edge j -> i."""
        csr = matrix.tocsr()
        rowptr = torch.from_numpy(csr.indptr.astype(np.int64))
        return Graph.from_csr(rowptr, torch.from_numpy(csr.indices.astype(np.int64)), csr.shape[1])

    # Shape and structure

    @property
    def num_nodes(self) -> int:
        """Number of nodes of a square graph."""
        if self.num_src != self.num_dst:
            raise ValueError(
                f"num_nodes is defined for square graphs only, got {self.num_dst} targets and "
                f"{self.num_src} sources."
            )
        return self.num_dst

    @property
    def num_edges(self) -> int:
        """Number of edges, E."""
        return self.csr.col.numel()

    @property
    def rowptr(self) -> Tensor:
        """CSR row pointer by target, `[M + 1]`."""
        return self.csr.rowptr

    @property
    def col(self) -> Tensor:
        """Sources in storage order, `[E]`."""
        return self.csr.col

    @property
    def edge_id(self) -> Tensor | None:
        """Edge at each stored position, `[E]`; None when that is the edges' own order."""
        return self.csr.edge_id

    @property
    def device(self) -> torch.device:
        """Device of the index tensors."""
        return self.csr.rowptr.device

    @property
    def edge_index(self) -> Tensor:
        """int64 `[2, E]` sources and targets in the edges' own order."""
        cached = self._cache.get("edge_index")
        if cached is None:
            with torch.inference_mode(False):
                cached = self._cache["edge_index"] = self._make_edge_index()
        result: Tensor = cached
        return result

    def _make_edge_index(self) -> Tensor:
        degree = self.rowptr.diff().long()
        target = torch.repeat_interleave(degree)
        stored = torch.stack([self.col.long(), target])
        if self.edge_id is None:
            return stored
        edges = torch.empty_like(stored)
        edges[:, self.edge_id.long()] = stored
        return edges

    def in_degree(self) -> Tensor:
        """int64 `[M]` number of edges into each target."""
        return self.rowptr.diff().long()

    def out_degree(self) -> Tensor:
        """int64 `[K]` number of edges out of each source."""
        return self.csr.t_rowptr.diff().long()

    def canonical_order(self) -> Tensor:
        """int64 `[E]` edges sorted by (target, source)."""
        if self.edge_id is None:
            return torch.arange(self.num_edges, device=self.device)
        return self.edge_id.long()

    def pairs(self) -> tuple[Tensor, int]:
        """Undirected pairs: the id int64 `[E]` of every edge's pair {i, j}, and their number.

        Pairs are numbered by (smaller, larger) node, ascending; a self loop is its own pair.
        """
        cached = self._cache.get("pairs")
        if cached is None:
            source, target = self.edge_index.cpu().numpy()
            pair_id, count = _host.pair_edges(target, source, self.num_nodes)
            with torch.inference_mode(False):
                cached = (torch.from_numpy(pair_id).to(self.device), int(count))
            self._cache["pairs"] = cached
        pair, total = cached
        return pair, total

    def fingerprint(self) -> str:
        """SHA-256 over the node counts and the sorted edges, independent of the edges' order."""
        cached = self._cache.get("fingerprint")
        if cached is None:
            digest = hashlib.sha256(f"sparsegnn.graph:{self.num_dst},{self.num_src};".encode())
            digest.update(self.rowptr.cpu().long().numpy().astype("<i8").tobytes())
            digest.update(self.col.cpu().long().numpy().astype("<i8").tobytes())
            cached = self._cache["fingerprint"] = digest.hexdigest()
        return str(cached)

    # Derived graphs

    def with_self_loops(self) -> Graph:
        """The graph with a loop at every node that has none; cached.

        The new loops follow the existing edges: they have ids `E ... E + L - 1` in ascending order
        of their nodes (`loop_nodes`).
        """
        cached = self._cache.get("self_loops")
        if cached is None:
            loops = self.loop_nodes
            edges = torch.cat([self.edge_index, loops.expand(2, -1)], dim=1)
            cached = Graph.from_edge_index(edges, self.num_nodes)
            self._cache["self_loops"] = cached
        result: Graph = cached
        return result

    @property
    def loop_nodes(self) -> Tensor:
        """int64 `[L]` nodes without a self loop, ascending: those `with_self_loops` gives one."""
        source, target = self.edge_index
        missing = torch.ones(self.num_nodes, dtype=torch.bool, device=self.device)
        missing[source[source == target]] = False
        return missing.nonzero().squeeze(1)

    def select(self, keep: Tensor | Mask) -> Graph:
        """The graph of the kept edges, renumbered in their order; the nodes stay.

        Args:
            keep: bool `[E]` or a `Mask` of shape `[E]`.
        """
        kept = keep.to_bool() if isinstance(keep, Mask) else keep
        if kept.dtype != torch.bool or kept.shape != (self.num_edges,):
            raise ValueError(
                f"keep must be a bool vector of shape [{self.num_edges}], got {kept.dtype} of "
                f"shape {list(kept.shape)}."
            )
        edges = self.edge_index[:, kept.to(self.device)]
        return Graph.from_edge_index(edges, num_src=self.num_src, num_dst=self.num_dst)

    def in_storage_order(self) -> Graph:
        """The same graph with its edges renumbered by (target, source); shares the index tensors.

        Values given in this order are read without indirection.
        """
        if self.edge_id is None:
            return self
        cached = self._cache.get("storage_order")
        if cached is None:
            with torch.inference_mode(False):
                cached = self._cache["storage_order"] = Graph(self._storage_order_tensors())
        result: Graph = cached
        return result

    def _storage_order_tensors(self) -> CsrTensors:
        assert self.edge_id is not None
        position = torch.empty_like(self.edge_id)
        position[self.edge_id.long()] = torch.arange(
            self.num_edges, dtype=position.dtype, device=self.device
        )
        transposed_id = self.csr.t_edge_id
        index = position if transposed_id is None else position[transposed_id.long()]
        return self.csr._replace(edge_id=None, t_edge_id=index)

    def transpose(self) -> Graph:
        """The graph with every edge reversed; shares the index tensors."""
        return Graph(self.csr.transposed())

    def to(self, device: torch.device | str) -> Graph:
        """The graph on another device; itself when it is there already."""
        if torch.device(device) == self.device:
            return self
        with torch.inference_mode(False):
            moved = [None if t is None else t.to(device) for t in self.csr]
        return Graph(CsrTensors(*moved))  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return (
            f"Graph(num_dst={self.num_dst}, num_src={self.num_src}, num_edges={self.num_edges}, "
            f"index={str(self.rowptr.dtype).removeprefix('torch.')}, device='{self.device}')"
        )


def _as_edge_array(edge_index: Tensor) -> np.ndarray[Any, np.dtype[np.int64]]:
    if not isinstance(edge_index, Tensor):
        raise TypeError(f"edge_index must be a tensor, got {type(edge_index).__name__}.")
    if edge_index.dtype not in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8):
        raise TypeError(f"edge_index must have an integer dtype, got {edge_index.dtype}.")
    if edge_index.dim() != 2 or edge_index.shape[0] != 2:
        raise ValueError(f"edge_index must have shape [2, E], got {list(edge_index.shape)}.")
    plain = edge_index.detach().as_subclass(Tensor)
    return np.ascontiguousarray(plain.cpu().numpy(), dtype=np.int64)


def _build(
    source: np.ndarray[Any, np.dtype[np.int64]],
    target: np.ndarray[Any, np.dtype[np.int64]],
    num_src: int,
    num_dst: int,
) -> Graph:
    if num_src < 0 or num_dst < 0:
        raise ValueError(f"num_nodes must not be negative, got {min(num_src, num_dst)}.")
    names = ("target nodes of edge_index", "source nodes of edge_index")
    rowptr, order, identity = _host.sort_coo(target, source, num_dst, num_src, *names)
    t_rowptr, t_order, t_identity = _host.sort_coo(source, target, num_src, num_dst, *names[::-1])
    small = max(num_src, num_dst, source.size) <= _INT32_LIMIT
    dtype = np.int32 if small else np.int64

    def tensor(values: np.ndarray[Any, Any]) -> Tensor:
        return torch.from_numpy(values.astype(dtype))

    with torch.inference_mode(False):
        csr = CsrTensors(
            tensor(rowptr),
            tensor(source[order]),
            None if identity else tensor(order),
            tensor(t_rowptr),
            tensor(target[t_order]),
            None if t_identity else tensor(t_order),
        )
    return Graph(csr)
