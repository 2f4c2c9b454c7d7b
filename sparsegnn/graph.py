"""Graphs as CSR by target with a cached transpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sparsegnn import _graph_build as build
from sparsegnn import _graph_structure as structure
from sparsegnn._csr import CsrTensors as CsrTensors
from sparsegnn._csr_checks import check_csr_tensors
from sparsegnn.mask import Mask

if TYPE_CHECKING:
    from torch_geometric.data import Data

# A graph whose counts stay under this limit uses 32-bit indices.
_INT32_LIMIT = 2**31 - 1


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
        csr = build.csr_of_edges(edge_index, (num_nodes, num_src, num_dst), _INT32_LIMIT)
        return Graph(csr, unsafe=True).to(edge_index.device)

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
        csr = build.csr_of_rows(rowptr, col, num_cols, _INT32_LIMIT)
        return Graph(csr, unsafe=True).to(rowptr.device)

    @staticmethod
    def from_torch_csr(matrix: Tensor) -> Graph:
        """The pattern of a `torch.sparse_csr` matrix: entry (i, j) is the edge j -> i."""
        return Graph.from_csr(*build.rows_of_torch(matrix))

    @staticmethod
    def from_scipy(matrix: Any) -> Graph:
        """The pattern of a SciPy sparse matrix: entry (i, j) is the edge j -> i."""
        return Graph.from_csr(*build.rows_of_scipy(matrix))

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
        edges: Tensor = self._once("edge_index", lambda: structure.edges_in_order(self.csr))
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
        pairs: tuple[Tensor, int] = self._once(
            "pairs", lambda: structure.undirected_pairs(self.edge_index, self.num_nodes)
        )
        return pairs

    def fingerprint(self) -> str:
        """SHA-256 over the node counts and the sorted edges, independent of the edges' order."""
        digest: str = self._once("fingerprint", lambda: structure.fingerprint(self.csr))
        return digest

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` returns, made of ordinary tensors at the first call."""
        if name not in self._cache:
            with torch.inference_mode(False):
                self._cache[name] = make()
        return self._cache[name]

    # Derived graphs

    def with_self_loops(self) -> Graph:
        """The graph with a loop at every node that has none; cached.

        The new loops follow the existing edges: they have ids `E ... E + L - 1` in ascending order
        of their nodes (`loop_nodes`).
        """
        looped: Graph = self._once("self_loops", self._add_loops)
        return looped

    def _add_loops(self) -> Graph:
        edges = torch.cat([self.edge_index, self.loop_nodes.expand(2, -1)], dim=1)
        return Graph.from_edge_index(edges, self.num_nodes)

    @property
    def loop_nodes(self) -> Tensor:
        """int64 `[L]` nodes without a self loop, ascending: those `with_self_loops` gives one."""
        return structure.nodes_without_loop(self.edge_index, self.num_nodes)

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
        graph: Graph = self._once(
            "storage_order",
            lambda: Graph(structure.renumbered_by_storage(self.csr), unsafe=True),
        )
        return graph

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
