"""Graphs as CSR by target with a cached transpose."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sparsegnn import _host
from sparsegnn._csr_checks import check_csr_tensors
from sparsegnn.mask import Mask

if TYPE_CHECKING:
    from torch_geometric.data import Data

# A graph whose counts stay under this limit uses 32-bit indices.
_INT32_LIMIT = 2**31 - 1
# More nodes than any machine has memory for; sizes in bytes stay within 64 bits.
_MOST_NODES = 2**48


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
    are checked once, here; the kernels trust them. Call the raw operators of
    `torch.ops.sparsegnn` with the tensors of a graph only: they do not look at every index again.

    What a graph caches is made of ordinary tensors also under `torch.inference_mode`, so a graph
    that was used for inference first can be trained on.

    Attributes:
        csr: The six index tensors (int32, or int64 when a count passes 2^31 - 1).
        num_dst: Number of targets, M.
        num_src: Number of sources, K; equal to M unless the graph is bipartite.
    """

    def __init__(self, csr: CsrTensors, *, unsafe: bool = False) -> None:
        """Wraps six tensors; most graphs come from the `from_*` constructors.

        Args:
            csr: The tensors of a graph and its transpose.
            unsafe: Skips the checks. Inconsistent tensors then crash or corrupt memory later.

        Raises:
            ValueError: The tensors do not fit together; a bad index is named with its position.
            TypeError: They are no tensors.
        """
        if not unsafe:
            if not isinstance(csr, CsrTensors):
                raise TypeError(f"csr must be CsrTensors, got {type(csr).__name__}.")
            check_csr_tensors(csr)
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
                num_nodes = max(int(edges.max()) + 1, 0) if edges.size else 0
            num_src = num_dst = _as_count(num_nodes, "num_nodes")
        graph = _build(
            edges[0], edges[1], _as_count(num_src, "num_src"), _as_count(num_dst, "num_dst")
        )
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

        Raises:
            ValueError: The row pointer is none, or a column is out of range (its position is
                named).
            TypeError: The tensors do not hold integers.
        """
        pointer, source = _as_index_array(rowptr, "rowptr"), _as_index_array(col, "col")
        if pointer.size < 1 or pointer[0] != 0 or (np.diff(pointer) < 0).any():
            raise ValueError(
                "rowptr must be a non-decreasing vector that starts at 0, got another vector."
            )
        if pointer[-1] != source.size:
            raise ValueError(
                f"rowptr must end with the number of columns {source.size}, got {pointer[-1]}."
            )
        target = np.repeat(np.arange(pointer.size - 1, dtype=np.int64), np.diff(pointer))
        count = _as_count(num_cols, "num_cols")
        return _build(source, target, count, pointer.size - 1, "col").to(rowptr.device)

    @staticmethod
    def from_torch_csr(matrix: Tensor) -> Graph:
        """The pattern of a `torch.sparse_csr` matrix: entry (i, j) is the edge j -> i."""
        layout = getattr(matrix, "layout", type(matrix).__name__)
        if layout != torch.sparse_csr or matrix.dim() != 2:
            raise TypeError(f"matrix must be a 2-D torch.sparse_csr tensor, got {layout}.")
        return Graph.from_csr(matrix.crow_indices(), matrix.col_indices(), matrix.shape[1])

    @staticmethod
    def from_scipy(matrix: Any) -> Graph:
        """The pattern of a SciPy sparse matrix: entry (i, j) is the edge j -> i."""
        if not hasattr(matrix, "tocsr"):
            raise TypeError(f"matrix must be a SciPy sparse matrix, got {type(matrix).__name__}.")
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
        if not isinstance(kept, Tensor):
            raise TypeError(f"keep must be a bool vector or a Mask, got {type(kept).__name__}.")
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
                cached = self._cache["storage_order"] = Graph(
                    self._storage_order_tensors(), unsafe=True
                )
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
        return Graph(self.csr.transposed(), unsafe=True)

    def to(self, device: torch.device | str) -> Graph:
        """The graph on another device; itself when it is there already."""
        if torch.device(device) == self.device:
            return self
        with torch.inference_mode(False):
            moved = [None if t is None else t.to(device) for t in self.csr]
        return Graph(CsrTensors(*moved), unsafe=True)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return (
            f"Graph(num_dst={self.num_dst}, num_src={self.num_src}, num_edges={self.num_edges}, "
            f"index={str(self.rowptr.dtype).removeprefix('torch.')}, device='{self.device}')"
        )


_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def _as_count(count: Any, name: str) -> int:
    """A number of nodes as an int; NumPy's integers count as such, floats and bools do not."""
    if isinstance(count, (bool, np.bool_)) or not isinstance(count, (int, np.integer)):
        raise TypeError(f"{name} must be an int, got {type(count).__name__}.")
    if count < 0:
        raise ValueError(f"{name} must not be negative, got {count}.")
    if count > _MOST_NODES:
        raise ValueError(f"{name} must be at most 2^48, got {count}.")
    return int(count)


def _as_edge_array(edge_index: Tensor) -> np.ndarray[Any, np.dtype[np.int64]]:
    _require_integers(edge_index, "edge_index")
    if edge_index.dim() != 2 or edge_index.shape[0] != 2:
        raise ValueError(f"edge_index must have shape [2, E], got {list(edge_index.shape)}.")
    return _as_array(edge_index)


def _as_index_array(index: Tensor, name: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    _require_integers(index, name)
    if index.dim() != 1:
        raise ValueError(f"{name} must be a vector, got shape {list(index.shape)}.")
    return _as_array(index)


def _require_integers(index: Any, name: str) -> None:
    if not isinstance(index, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(index).__name__}.")
    if index.dtype not in _INTEGERS:
        raise TypeError(f"{name} must have an integer dtype, got {index.dtype}.")
    if index.layout != torch.strided or index.is_meta:
        kind = "a meta tensor" if index.is_meta else str(index.layout)
        raise TypeError(f"{name} must be a dense tensor with data, got {kind}.")


def _as_array(index: Tensor) -> np.ndarray[Any, np.dtype[np.int64]]:
    plain = index.detach().as_subclass(Tensor)
    return np.ascontiguousarray(plain.cpu().numpy(), dtype=np.int64)


def _build(
    source: np.ndarray[Any, np.dtype[np.int64]],
    target: np.ndarray[Any, np.dtype[np.int64]],
    num_src: int,
    num_dst: int,
    source_name: str = "source nodes of edge_index",
) -> Graph:
    names = ("target nodes of edge_index", source_name)
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
    return Graph(csr, unsafe=True)
