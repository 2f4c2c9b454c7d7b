"""Index tensors of a graph from lists of edges and from rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sparsegnn import _host
from sparsegnn._csr import CsrTensors

Indices = np.ndarray[Any, np.dtype[np.int64]]

# More nodes than any machine has memory for; sizes in bytes stay within 64 bits.
_MOST_NODES = 2**48
_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def csr_of_edges(
    edge_index: Tensor, sizes: tuple[int | None, int | None, int | None], limit: int
) -> CsrTensors:
    """The tensors on the CPU of PyG's `edge_index`; the sizes are `(nodes, sources, targets)`."""
    num_nodes, num_src, num_dst = sizes
    edges = _as_edge_array(edge_index)
    if (num_src is None) != (num_dst is None):
        raise ValueError("num_src and num_dst must be given together, got only one of them.")
    if num_src is None or num_dst is None:
        if num_nodes is None:
            num_nodes = max(int(edges.max()) + 1, 0) if edges.size else 0
        num_src = num_dst = _as_count(num_nodes, "num_nodes")
    counts = (_as_count(num_src, "num_src"), _as_count(num_dst, "num_dst"))
    return _sorted_both_ways(edges[0], edges[1], counts, limit, "source nodes of edge_index")


def csr_of_rows(rowptr: Tensor, col: Tensor, num_cols: int, limit: int) -> CsrTensors:
    """The tensors on the CPU of a CSR pattern whose rows are the targets."""
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
    counts = (_as_count(num_cols, "num_cols"), pointer.size - 1)
    return _sorted_both_ways(source, target, counts, limit, "col")


def rows_of_torch(matrix: Tensor) -> tuple[Tensor, Tensor, int]:
    """Row pointer, columns and their number of a `torch.sparse_csr` matrix."""
    layout = getattr(matrix, "layout", type(matrix).__name__)
    if layout != torch.sparse_csr or matrix.dim() != 2:
        raise TypeError(f"matrix must be a 2-D torch.sparse_csr tensor, got {layout}.")
    return matrix.crow_indices(), matrix.col_indices(), matrix.shape[1]


def rows_of_scipy(matrix: Any) -> tuple[Tensor, Tensor, int]:
    """Row pointer, columns and their number of a SciPy sparse matrix."""
    if not hasattr(matrix, "tocsr"):
        raise TypeError(f"matrix must be a SciPy sparse matrix, got {type(matrix).__name__}.")
    csr = matrix.tocsr()
    rowptr, col = (torch.from_numpy(part.astype(np.int64)) for part in (csr.indptr, csr.indices))
    return rowptr, col, csr.shape[1]


def _as_count(count: Any, name: str) -> int:
    """A number of nodes as an int; NumPy's integers count as such, floats and bools do not."""
    if isinstance(count, (bool, np.bool_)) or not isinstance(count, (int, np.integer)):
        raise TypeError(f"{name} must be an int, got {type(count).__name__}.")
    if count < 0:
        raise ValueError(f"{name} must not be negative, got {count}.")
    if count > _MOST_NODES:
        raise ValueError(f"{name} must be at most 2^48, got {count}.")
    return int(count)


def _as_edge_array(edge_index: Tensor) -> Indices:
    _require_integers(edge_index, "edge_index")
    if edge_index.dim() != 2 or edge_index.shape[0] != 2:
        raise ValueError(f"edge_index must have shape [2, E], got {list(edge_index.shape)}.")
    return _as_array(edge_index)


def _as_index_array(index: Tensor, name: str) -> Indices:
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


def _as_array(index: Tensor) -> Indices:
    plain = index.detach().as_subclass(Tensor)
    return np.ascontiguousarray(plain.cpu().numpy(), dtype=np.int64)


def _sorted_both_ways(
    source: Indices, target: Indices, counts: tuple[int, int], limit: int, source_name: str
) -> CsrTensors:
    """32-bit indices where all counts are at most `limit`."""
    num_src, num_dst = counts
    names = ("target nodes of edge_index", source_name)
    rowptr, order, identity = _host.sort_coo(target, source, num_dst, num_src, *names)
    t_rowptr, t_order, t_identity = _host.sort_coo(source, target, num_src, num_dst, *names[::-1])
    dtype = np.int32 if max(num_src, num_dst, source.size) <= limit else np.int64

    def tensor(values: np.ndarray[Any, Any]) -> Tensor:
        return torch.from_numpy(values.astype(dtype))

    with torch.inference_mode(False):
        return CsrTensors(
            tensor(rowptr),
            tensor(source[order]),
            None if identity else tensor(order),
            tensor(t_rowptr),
            tensor(target[t_order]),
            None if t_identity else tensor(t_order),
        )
