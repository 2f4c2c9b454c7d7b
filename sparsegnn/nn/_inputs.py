"""What the layers accept as graph and features."""

from __future__ import annotations

import torch
from torch import Tensor

from sparsegnn.graph import Graph
from sparsegnn.nn._graph_cache import remembered_graph
from sparsegnn.sparse_matrix import SparseMatrix

GraphLike = Graph | Tensor
Features = Tensor | SparseMatrix
Ends = tuple[Features, Features | None]
Size = tuple[int, int] | None


def num_rows(x: Features) -> int:
    """Number of nodes that x describes."""
    return x.shape[-2]


def check_features(x: Features, channels: int) -> None:
    """Raises unless x holds `channels` features a node; a negative number means any."""
    if not isinstance(x, (Tensor, SparseMatrix)):
        raise TypeError(f"x must be a tensor or a SparseMatrix, got {type(x).__name__}.")
    width = "in_channels" if channels < 0 else str(channels)
    if len(x.shape) < 2 or (channels > 0 and x.shape[-1] != channels):
        raise ValueError(f"x must have shape [N, {width}], got {list(x.shape)}.")


def both_ends(x: Features | Ends, channels: tuple[int, int]) -> Ends:
    """Features of (sources, targets), checked; a single x stands for both."""
    ends = x if isinstance(x, (tuple, list)) else (x, x)
    if len(ends) != 2:
        raise ValueError(f"x must be features or a pair of them, got {len(ends)} of them.")
    source, target = ends[0], ends[1]
    check_features(source, channels[0])
    if target is not None:
        check_features(target, channels[1])
    return source, target


def as_graph(edge_index: GraphLike, x: Ends, size: Size = None) -> tuple[Graph, Tensor | None]:
    """The graph that x lives on, and the edge values where a sparse adjacency brings some.

    Args:
        edge_index: A `Graph`; an integer `[2, E]`, an `EdgeIndex` too; or a sparse adjacency of
            torch, entry (i, j) being the edge j -> i. All but a `Graph` are sorted at first sight
            and remembered as long as the tensor exists.
        x: Features of (sources, targets or None).
        size: Numbers of (sources, targets), where x does not tell.
    """
    sizes = _sizes(edge_index, x, size)
    if isinstance(edge_index, Graph):
        return _checked(edge_index, sizes), None
    if not isinstance(edge_index, Tensor):
        raise TypeError(
            "edge_index must be a Graph, an integer tensor or a sparse adjacency of torch, got "
            f"{type(edge_index).__name__}."
        )
    made: tuple[Graph, Tensor | None] = _from_tensor(edge_index, sizes)
    return made


def _sizes(edge_index: GraphLike, x: Ends, size: Size) -> tuple[int, int]:
    num_src = num_rows(x[0])
    if x[1] is not None:
        num_dst = num_rows(x[1])
    elif size is not None:
        num_dst = size[1]
    else:
        num_dst = _own_targets(edge_index, num_src)
    if size is not None and tuple(size) != (num_src, num_dst):
        raise ValueError(f"size must fit x, ({num_src}, {num_dst}), got {tuple(size)}.")
    return num_src, num_dst


def _own_targets(edge_index: GraphLike, default: int) -> int:
    """Number of targets that the graph knows of itself."""
    if isinstance(edge_index, Graph):
        return edge_index.num_dst
    if getattr(edge_index, "layout", torch.strided) != torch.strided:
        return edge_index.shape[0]
    sparse_size = getattr(edge_index, "sparse_size", None)  # of an EdgeIndex
    known = None if sparse_size is None else sparse_size()[1]
    return default if known is None else int(known)


def _checked(graph: Graph, sizes: tuple[int, int]) -> Graph:
    if (graph.num_src, graph.num_dst) == sizes:
        return graph
    if graph.num_src == graph.num_dst and sizes[0] == sizes[1]:
        wanted, got = str(graph.num_src), str(sizes[0])
    else:
        wanted = f"{graph.num_src} sources and {graph.num_dst} targets"
        got = f"{sizes[0]} and {sizes[1]}"
    raise ValueError(f"x must have one row per node of the graph, {wanted}, got {got}.")


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _from_tensor(edge_index: Tensor, sizes: tuple[int, int]) -> tuple[Graph, Tensor | None]:
    if edge_index.layout == torch.strided:
        plain = edge_index.detach().as_subclass(Tensor)
        num_src, num_dst = sizes
        return remembered_graph(
            edge_index,
            (plain,),
            sizes,
            lambda: Graph.from_edge_index(plain, num_src=num_src, num_dst=num_dst),
        ), None
    if edge_index.layout != torch.sparse_csr:
        return _from_coo(edge_index, sizes)
    indices = (edge_index.crow_indices(), edge_index.col_indices())
    graph = remembered_graph(
        edge_index, indices, sizes, lambda: Graph.from_torch_csr(edge_index.detach())
    )
    return _checked(graph, sizes), edge_index.values()


def _from_coo(matrix: Tensor, sizes: tuple[int, int]) -> tuple[Graph, Tensor | None]:
    coo = matrix if matrix.layout == torch.sparse_coo else matrix.to_sparse_coo()
    edges = coo._indices().flip(0)
    num_dst, num_src = coo.shape
    graph = remembered_graph(
        matrix,
        (edges,),
        sizes,
        lambda: Graph.from_edge_index(edges, num_src=num_src, num_dst=num_dst),
    )
    return _checked(graph, sizes), coo._values()
