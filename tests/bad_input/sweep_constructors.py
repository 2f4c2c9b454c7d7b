"""Bad input to the constructors: after them every index that an operator sees is in range."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
import torch

import sparsegnn as sg
from sparsegnn.graph import CsrTensors

EDGES = torch.tensor([[0, 1, 2, 2], [1, 1, 0, 2]])
ROWPTR, COL = torch.tensor([0, 1, 3, 4]), torch.tensor([2, 0, 1, 2])
Build = Callable[[], object]


def graph() -> sg.Graph:
    """Three nodes, four edges that are not in storage order."""
    return sg.Graph.from_edge_index(EDGES, 3)


def with_tensors(**replaced: Any) -> sg.Graph:
    """A graph from raw tensors, some of them replaced."""
    return sg.Graph(graph().csr._replace(**replaced))


def int32(*numbers: int) -> torch.Tensor:
    """An int32 vector."""
    return torch.tensor(numbers, dtype=torch.int32)


def weight_with_state(**replaced: torch.Tensor) -> sg.SparseWeight:
    """A sparse weight after loading a corrupted state dict."""
    weight = sg.SparseWeight.from_dense(torch.eye(3))
    weight.load_state_dict({**weight.state_dict(), **replaced})
    return weight


def block_weight(values: Any, pattern: Any = None) -> sg.BlockWeight:
    """A block weight over the graph of this file."""
    return sg.BlockWeight(graph() if pattern is None else pattern, values)


def compact_weight(**replaced: Any) -> sg.CompactWeight:
    """A compact weight, some of its arguments replaced."""
    given = {"values": torch.ones(2, 1), "rows": torch.tensor([0, 3]), "cols": torch.tensor([2])}
    return sg.CompactWeight(**{**given, "shape": (4, 3), **replaced})


def loaded(weight: torch.nn.Module, **replaced: torch.Tensor) -> torch.nn.Module:
    """The module after loading a corrupted state dict of its own."""
    weight.load_state_dict({**weight.state_dict(), **replaced})
    return weight


def scipy_csr(indices: list[int], indptr: list[int]) -> Any:
    """A SciPy matrix whose arrays were changed after its checks."""
    matrix = scipy.sparse.csr_matrix((np.ones(2, np.float32), ([0, 1], [0, 1])), shape=(3, 3))
    matrix.indices[:], matrix.indptr[:] = indices, indptr
    return matrix


FROM_EDGES: dict[str, tuple[str, Build]] = {
    "source too large": (
        "source nodes of edge_index must lie in [0, 2), got 2 at position 2",
        lambda: sg.Graph.from_edge_index(EDGES, num_src=2, num_dst=3),
    ),
    "target too large": (
        "target nodes of edge_index must lie in [0, 2), got 2 at position 3",
        lambda: sg.Graph.from_edge_index(EDGES, num_src=3, num_dst=2),
    ),
    "negative": (
        "edge_index must lie in [0, 3), got -1 at position 1",
        lambda: sg.Graph.from_edge_index(EDGES - torch.tensor([[0, 2, 0, 0], [0, 0, 0, 0]]), 3),
    ),
    "negative without a node count": (
        "edge_index must lie in",
        lambda: sg.Graph.from_edge_index(torch.tensor([[-5], [-7]])),
    ),
    "int64 minimum": (
        "edge_index must lie in",
        lambda: sg.Graph.from_edge_index(torch.tensor([[0], [-(2**63)]]), 3),
    ),
    "int64 maximum": (
        "edge_index must lie in",
        lambda: sg.Graph.from_edge_index(torch.tensor([[2**63 - 1], [0]]), 3),
    ),
    "int64 maximum without a node count": (
        "num_nodes must",
        lambda: sg.Graph.from_edge_index(torch.tensor([[2**63 - 1], [0]])),
    ),
    "wrapped uint8": (
        "edge_index must lie in",
        lambda: sg.Graph.from_edge_index(torch.tensor([[255], [0]], dtype=torch.uint8), 3),
    ),
    "float": ("edge_index must have an integer", lambda: sg.Graph.from_edge_index(EDGES.float())),
    "bool": ("edge_index must have an integer", lambda: sg.Graph.from_edge_index(EDGES > 0)),
    "list": ("edge_index must be a tensor", lambda: sg.Graph.from_edge_index(EDGES.tolist())),
    "numpy": ("edge_index must be a tensor", lambda: sg.Graph.from_edge_index(EDGES.numpy())),
    "none": ("edge_index must be a tensor", lambda: sg.Graph.from_edge_index(None)),
    "transposed": ("edge_index must have shape", lambda: sg.Graph.from_edge_index(EDGES.t(), 3)),
    "three rows": (
        "edge_index must have shape",
        lambda: sg.Graph.from_edge_index(EDGES[[0, 1, 1]], 3),
    ),
    "vector": ("edge_index must have shape", lambda: sg.Graph.from_edge_index(EDGES[0], 3)),
    "no dimension": (
        "edge_index must have shape",
        lambda: sg.Graph.from_edge_index(torch.tensor(3), 3),
    ),
    "meta device": ("edge_index must", lambda: sg.Graph.from_edge_index(EDGES.to("meta"), 3)),
    "sparse layout": (
        "edge_index must",
        lambda: sg.Graph.from_edge_index(EDGES.to_sparse(), 3),
    ),
    "negative count": ("num_nodes must", lambda: sg.Graph.from_edge_index(EDGES, -1)),
    "float count": ("num_nodes must be an int", lambda: sg.Graph.from_edge_index(EDGES, 3.7)),
    "bool count": ("num_nodes must be an int", lambda: sg.Graph.from_edge_index(EDGES, True)),
    "string count": ("num_nodes must be an int", lambda: sg.Graph.from_edge_index(EDGES, "3")),
    "float source count": (
        "num_src must be an int",
        lambda: sg.Graph.from_edge_index(EDGES, num_src=3.0, num_dst=3),
    ),
    "negative target count": (
        "num_dst must",
        lambda: sg.Graph.from_edge_index(EDGES, num_src=3, num_dst=-3),
    ),
    "one count of two": (
        "num_src and num_dst must be given together",
        lambda: sg.Graph.from_edge_index(EDGES, num_src=3),
    ),
    "count beyond int64": ("num_nodes must", lambda: sg.Graph.from_edge_index(EDGES, 2**70)),
    "count of half the int64": ("num_nodes must", lambda: sg.Graph.from_edge_index(EDGES, 2**62)),
}

FROM_CSR: dict[str, tuple[str, Build]] = {
    "decreasing": (
        "rowptr must be a non-decreasing vector",
        lambda: sg.Graph.from_csr(torch.tensor([0, 3, 1, 4]), COL, 3),
    ),
    "starts late": (
        "rowptr must be a non-decreasing vector that starts at 0",
        lambda: sg.Graph.from_csr(torch.tensor([1, 1, 3, 4]), COL, 3),
    ),
    "ends early": ("rowptr must end with", lambda: sg.Graph.from_csr(ROWPTR[:-1], COL, 3)),
    "ends late": ("rowptr must end with", lambda: sg.Graph.from_csr(ROWPTR, COL[:-1], 3)),
    "empty": ("rowptr must", lambda: sg.Graph.from_csr(ROWPTR[:0], COL[:0], 3)),
    "matrix": ("rowptr must", lambda: sg.Graph.from_csr(ROWPTR.view(2, 2), COL, 3)),
    "float": ("rowptr must", lambda: sg.Graph.from_csr(ROWPTR.float(), COL, 3)),
    "list": ("rowptr must", lambda: sg.Graph.from_csr(ROWPTR.tolist(), COL, 3)),
    "float columns": ("col must", lambda: sg.Graph.from_csr(ROWPTR, COL.float(), 3)),
    "matrix of columns": ("col must", lambda: sg.Graph.from_csr(ROWPTR, COL.view(2, 2), 3)),
    "list of columns": ("col must", lambda: sg.Graph.from_csr(ROWPTR, COL.tolist(), 3)),
    "column too large": (
        "col must lie in [0, 2), got 2 at position 0",
        lambda: sg.Graph.from_csr(ROWPTR, COL, 2),
    ),
    "negative column": ("col must lie in", lambda: sg.Graph.from_csr(ROWPTR, COL - 1, 3)),
    "negative count": ("num_cols must", lambda: sg.Graph.from_csr(ROWPTR, COL, -1)),
    "float count": ("num_cols must be an int", lambda: sg.Graph.from_csr(ROWPTR, COL, 2.5)),
    "dense for torch CSR": ("matrix must be", lambda: sg.Graph.from_torch_csr(torch.eye(3))),
    "torch COO": ("matrix must be", lambda: sg.Graph.from_torch_csr(torch.eye(3).to_sparse())),
    "list for torch CSR": ("matrix must be", lambda: sg.Graph.from_torch_csr([[1.0]])),
    "torch CSR, column too large": (
        "col must lie in [0, 3), got 7 at position 1",
        lambda: sg.Graph.from_torch_csr(
            torch.sparse_csr_tensor(
                torch.tensor([0, 1, 2, 2]),
                torch.tensor([0, 7]),
                torch.ones(2),
                (3, 3),
                check_invariants=False,
            )
        ),
    ),
    "scipy, column too large": (
        "col must lie in [0, 3), got 9 at position 1",
        lambda: sg.Graph.from_scipy(scipy_csr([0, 9], [0, 1, 2, 2])),
    ),
    "scipy, decreasing": (
        "rowptr must be",
        lambda: sg.Graph.from_scipy(scipy_csr([0, 1], [0, 2, 1, 2])),
    ),
    "scipy, dense": ("matrix must be", lambda: sg.Graph.from_scipy(np.eye(3))),
}

RAW: dict[str, tuple[str, Build]] = {
    "column too large": (
        "col must lie in [0, 3), got 3 at position 2",
        lambda: with_tensors(col=int32(2, 0, 3, 2)),
    ),
    "negative column": ("col must lie in", lambda: with_tensors(col=int32(-1, 0, 1, 2))),
    "decreasing": (
        "rowptr must not decrease, got 3 after 4 at position 2",
        lambda: with_tensors(rowptr=int32(0, 4, 3, 4)),
    ),
    "starts late": ("rowptr must start with 0", lambda: with_tensors(rowptr=int32(1, 1, 3, 4))),
    "ends early": ("rowptr must end with", lambda: with_tensors(rowptr=int32(0, 1, 3, 3))),
    "ends late": ("rowptr must end with", lambda: with_tensors(rowptr=int32(0, 1, 3, 9))),
    "empty": ("rowptr must have shape", lambda: with_tensors(rowptr=int32())),
    "matrix": ("col must be a vector", lambda: with_tensors(col=int32(2, 0, 1, 2).view(2, 2))),
    "mixed index types": ("col must have dtype", lambda: with_tensors(col=COL)),
    "float": ("rowptr must have dtype", lambda: with_tensors(rowptr=ROWPTR.float())),
    "list": ("col must be a tensor", lambda: with_tensors(col=[0, 1])),
    "none": ("col must be a tensor", lambda: with_tensors(col=None)),
    "other device": ("col must be on", lambda: with_tensors(col=int32(2, 0, 1, 2).to("meta"))),
    "strided": (
        "col must be contiguous",
        lambda: with_tensors(col=int32(2, 9, 0, 9, 1, 9, 2, 9)[::2]),
    ),
    "edge id too large": ("edge_id must lie in", lambda: with_tensors(edge_id=int32(0, 1, 2, 4))),
    "edge id twice": ("edge_id must hold every", lambda: with_tensors(edge_id=int32(0, 1, 1, 3))),
    "edge ids missing": ("edge_id must have", lambda: with_tensors(edge_id=int32(0, 1, 2))),
    "transposed column too large": (
        "t_col must lie in [0, 3)",
        lambda: with_tensors(t_col=int32(0, 0, 1, 5)),
    ),
    "transposed row pointer": (
        "t_rowptr must not decrease",
        lambda: with_tensors(t_rowptr=int32(0, 5, 2, 4)),
    ),
    "another transpose": ("t_col must", lambda: with_tensors(t_col=int32(0, 0, 0, 1))),
    "another number of edges": (
        "t_col must",
        lambda: with_tensors(t_rowptr=int32(0, 1, 2, 3), t_col=int32(1, 1, 0), t_edge_id=None),
    ),
    "no tensors": ("csr must", lambda: sg.Graph(None)),
    "edge index": ("csr must", lambda: sg.Graph(EDGES)),
    "state dict, column too large": (
        "col must lie in [0, 3), got 3 at position 0",
        lambda: weight_with_state(col=int32(3, 1, 2)),
    ),
    "state dict, decreasing": (
        "rowptr must not decrease",
        lambda: weight_with_state(rowptr=int32(0, 4, 2, 3)),
    ),
}

MATRICES: dict[str, tuple[str, Build]] = {
    "values too many": ("values must have", lambda: sg.SparseMatrix(graph(), torch.ones(5))),
    "values of rank 2": ("values must have", lambda: sg.SparseMatrix(graph(), torch.ones(4, 1))),
    "int values": ("values must be", lambda: sg.SparseMatrix(graph(), torch.ones(4).long())),
    "complex values": ("values must", lambda: sg.SparseMatrix(graph(), torch.ones(4) * 1j)),
    "values elsewhere": (
        "values must be on",
        lambda: sg.SparseMatrix(graph(), torch.ones(4, device="meta")),
    ),
    "list of values": ("values must", lambda: sg.SparseMatrix(graph(), [1.0] * 4)),
    "no pattern": ("pattern must", lambda: sg.SparseMatrix(EDGES, torch.ones(4))),
    "dense vector": ("matrix must have 2", lambda: sg.SparseMatrix.from_dense(torch.ones(3))),
    "dense list": ("matrix must", lambda: sg.SparseMatrix.from_dense([[1.0]])),
    "dense int": ("values must", lambda: sg.SparseMatrix.from_dense(torch.eye(3).long())),
    "torch vector": ("matrix must", lambda: sg.SparseMatrix.from_torch(torch.ones(3).to_sparse())),
    "scipy columns": (
        "col must lie in",
        lambda: sg.SparseMatrix.from_scipy(scipy_csr([0, -9], [0, 1, 2, 2])),
    ),
    "scipy dense": ("matrix must", lambda: sg.SparseMatrix.from_scipy(np.eye(3))),
}

WEIGHTS: dict[str, tuple[str, Build]] = {
    "values too many": ("values must have", lambda: sg.SparseWeight(graph(), torch.ones(5))),
    "int values": ("values must be", lambda: sg.SparseWeight(graph(), torch.ones(4).long())),
    "list of values": ("values must", lambda: sg.SparseWeight(graph(), [1.0] * 4)),
    "values elsewhere": (
        "values must be on",
        lambda: sg.SparseWeight(graph(), torch.ones(4, device="meta")),
    ),
    "no pattern": ("pattern must", lambda: sg.SparseWeight(EDGES, torch.ones(4))),
    "dense int": ("weight must be", lambda: sg.SparseWeight.from_dense(torch.eye(3).long())),
    "dense vector": ("weight must be", lambda: sg.SparseWeight.from_dense(torch.ones(3))),
    "dense list": ("weight must be", lambda: sg.SparseWeight.from_dense([[1.0]])),
    "float mask": (
        "mask must be bool",
        lambda: sg.SparseWeight.from_dense(torch.eye(3), torch.eye(3)),
    ),
    "mask of another shape": (
        "mask must be bool",
        lambda: sg.SparseWeight.from_dense(torch.eye(3), torch.ones(2, 3) > 0),
    ),
    "list as mask": ("mask must", lambda: sg.SparseWeight.from_dense(torch.eye(3), [[True]])),
}

BLOCKS: dict[str, tuple[str, Build]] = {
    "values too many": ("values must hold 4", lambda: block_weight(torch.ones(5, 16, 16))),
    "values of rank 2": ("values must have shape", lambda: block_weight(torch.ones(4, 16))),
    "another block": ("values must have shape", lambda: block_weight(torch.ones(4, 8, 8))),
    "no square": ("values must have shape", lambda: block_weight(torch.ones(4, 16, 32))),
    "int values": ("values must be floating", lambda: block_weight(torch.ones(4, 16, 16).int())),
    "list of values": ("values must be a tensor", lambda: block_weight([1.0])),
    "values elsewhere": (
        "values must be on",
        lambda: block_weight(torch.ones(4, 16, 16, device="meta")),
    ),
    "no pattern": ("pattern must be", lambda: block_weight(torch.ones(4, 16, 16), EDGES)),
    "dense int": ("weight must be", lambda: sg.BlockWeight.from_dense(torch.eye(16).long(), 16)),
    "dense list": ("weight must be", lambda: sg.BlockWeight.from_dense([[1.0]], 16)),
    "dense vector": ("weight must be", lambda: sg.BlockWeight.from_dense(torch.ones(16), 16)),
    "no multiple": ("weight must have sizes", lambda: sg.BlockWeight.from_dense(torch.eye(17), 16)),
    "block of 8": ("block must be 16", lambda: sg.BlockWeight.from_dense(torch.eye(16), 8)),
    "float block": ("block must be an int", lambda: sg.BlockWeight.from_dense(torch.eye(16), 16.0)),
    "list as block": ("block must be", lambda: sg.BlockWeight.from_dense(torch.eye(16), [16])),
    "float mask": (
        "mask must be bool",
        lambda: sg.BlockWeight.from_dense(torch.eye(16), 16, torch.eye(16)),
    ),
    "list as mask": (
        "mask must be bool",
        lambda: sg.BlockWeight.from_dense(torch.eye(16), 16, [[True]]),
    ),
    "state dict, column too large": (
        "col must lie in [0, 2), got 7 at position 1",
        lambda: loaded(sg.BlockWeight.from_dense(torch.eye(32), 16), col=int32(0, 7)),
    ),
    "state dict, decreasing": (
        "rowptr must not decrease",
        lambda: loaded(sg.BlockWeight.from_dense(torch.eye(32), 16), rowptr=int32(0, 3, 2)),
    ),
}

COMPACT: dict[str, tuple[str, Build]] = {
    "values too many": ("values must have", lambda: compact_weight(values=torch.ones(3, 1))),
    "int values": ("values must be", lambda: compact_weight(values=torch.ones(2, 1).long())),
    "list of values": ("values must be", lambda: compact_weight(values=[[1.0], [1.0]])),
    "row too large": (
        "rows must lie in [0, 4), got 4 at position 1",
        lambda: compact_weight(rows=torch.tensor([0, 4])),
    ),
    "negative column": (
        "cols must lie in [0, 3), got -1 at position 0",
        lambda: compact_weight(cols=torch.tensor([-1])),
    ),
    "a row twice": ("rows must ascend", lambda: compact_weight(rows=torch.tensor([3, 3]))),
    "rows descend": ("rows must ascend", lambda: compact_weight(rows=torch.tensor([3, 0]))),
    "float rows": ("rows must be an int64", lambda: compact_weight(rows=torch.tensor([0.0, 3.0]))),
    "matrix of rows": (
        "rows must be an int64",
        lambda: compact_weight(rows=torch.ones(2, 1).long()),
    ),
    "list of rows": ("rows must be a tensor", lambda: compact_weight(rows=[0, 3])),
    "columns elsewhere": (
        "cols must be on",
        lambda: compact_weight(cols=torch.tensor([2], device="meta")),
    ),
    "one size": ("shape must be two", lambda: compact_weight(shape=(4,))),
    "float size": ("shape must be two", lambda: compact_weight(shape=(4, 3.0))),
    "negative size": ("shape must be two", lambda: compact_weight(shape=(4, -3))),
    "number as shape": ("shape must be two", lambda: compact_weight(shape=4)),
    "dense int": ("weight must be", lambda: sg.CompactWeight.from_dense(torch.eye(3).long())),
    "dense list": ("weight must be", lambda: sg.CompactWeight.from_dense([[1.0]])),
    "list as mask": ("mask must be", lambda: sg.CompactWeight.from_dense(torch.eye(3), [[True]])),
    "state dict, row too large": (
        "rows must lie in [0, 4), got 9 at position 1",
        lambda: loaded(compact_weight(), rows=torch.tensor([0, 9])),
    ),
    "state dict, negative column": (
        "cols must lie in [0, 3), got -2 at position 0",
        lambda: loaded(compact_weight(), cols=torch.tensor([-2])),
    ),
}

MASKS: dict[str, tuple[str, Build]] = {
    "float": ("values must be a bool", lambda: sg.Mask.from_bool(torch.ones(3))),
    "list": ("values must be a bool", lambda: sg.Mask.from_bool([True])),
    "packed too short": (
        "packed must hold 2 bytes",
        lambda: sg.Mask.from_packed(torch.zeros(1, dtype=torch.uint8), (9,)),
    ),
    "packed int64": ("packed must be", lambda: sg.Mask.from_packed(torch.zeros(1).long(), (3,))),
    "packed list": ("packed must be", lambda: sg.Mask.from_packed([0], (3,))),
    "ones past the end": (
        "packed must have zero bits",
        lambda: sg.Mask.from_packed(torch.tensor([255], dtype=torch.uint8), (3,)),
    ),
    "negative shape": (
        "shape must",
        lambda: sg.Mask.from_packed(torch.zeros(1, dtype=torch.uint8), (-3,)),
    ),
    "keep of another length": (
        "keep must be a bool vector",
        lambda: graph().select(torch.ones(3, dtype=torch.bool)),
    ),
    "keep of floats": ("keep must be a bool vector", lambda: graph().select(torch.ones(4))),
    "keep as a list": ("keep must be a bool vector", lambda: graph().select([True] * 4)),
    "nodes of a bipartite graph": (
        "num_nodes is defined for square graphs only",
        lambda: sg.Graph.from_edge_index(EDGES, num_src=4, num_dst=3).num_nodes,
    ),
}


def fails(words: str, build: Build) -> None:
    """One sentence of type ValueError or TypeError that holds the words."""
    try:
        build()
    except (ValueError, TypeError) as error:
        text = str(error)
        assert words in text, f"other words: {text}"
        assert "\n" not in text and re.search(r"\.$", text), f"no sentence: {text}"
    except Exception as error:
        raise AssertionError(f"{type(error).__name__}: {error}") from error
    else:
        raise AssertionError("accepted without an error")


def accepts(expected: object, build: Build) -> None:
    """The documented result."""
    result = build()
    assert result == expected, f"got {result}"


ACCEPTED: dict[str, tuple[object, Build]] = {
    "parallel edges stay": (
        [0, 2],
        lambda: sg.Graph.from_edge_index(torch.tensor([[1, 1], [0, 0]]), 1 + 1).rowptr[:2].tolist(),
    ),
    "no edges": (7, lambda: sg.Graph.from_edge_index(EDGES[:, :0], 7).num_nodes),
    "no edges and no count": (0, lambda: sg.Graph.from_edge_index(EDGES[:, :0]).num_nodes),
    "expanded": (4, lambda: sg.Graph.from_edge_index(EDGES[:1].expand(2, -1), 3).num_edges),
    "flipped": (
        EDGES.flip(1).tolist(),
        lambda: sg.Graph.from_edge_index(EDGES.flip(1), 3).edge_index.tolist(),
    ),
    "strided": (
        EDGES[:, ::2].tolist(),
        lambda: sg.Graph.from_edge_index(EDGES[:, ::2], 3).edge_index.tolist(),
    ),
    "int8": (4, lambda: sg.Graph.from_edge_index(EDGES.to(torch.int8), 3).num_edges),
    "numpy count": (3, lambda: sg.Graph.from_edge_index(EDGES, np.int64(3)).num_nodes),
    "raw tensors": (4, lambda: with_tensors().num_edges),
    "raw tensors unchecked": (
        4,
        lambda: sg.Graph(CsrTensors(*graph().csr), unsafe=True).num_edges,
    ),
    "empty CSR": (0, lambda: sg.Graph.from_csr(torch.tensor([0]), COL[:0], 0).num_edges),
    "state dict": (3, lambda: weight_with_state().nnz),
    "NaN is kept": (1, lambda: sg.SparseMatrix.from_dense(torch.tensor([[float("nan"), 0.0]])).nnz),
    "negative zero is dropped": (0, lambda: sg.SparseMatrix.from_dense(torch.tensor([[-0.0]])).nnz),
    "no rows": ((0, 3), lambda: sg.SparseMatrix.from_dense(torch.zeros(0, 3)).shape),
    "mask without entries": (0, lambda: sg.Mask.from_bool(torch.zeros(0, dtype=torch.bool)).count),
    "mask without dimension": (1, lambda: sg.Mask.from_bool(torch.tensor(True)).count),
}


def constructor_cases() -> dict[str, Callable[[], None]]:
    """All cases of the constructors, by `constructor/case`."""
    tables = {
        "Graph.from_edge_index": FROM_EDGES,
        "Graph.from_csr": FROM_CSR,
        "Graph": RAW,
        "SparseMatrix": MATRICES,
        "SparseWeight": WEIGHTS,
        "BlockWeight": BLOCKS,
        "CompactWeight": COMPACT,
        "Mask": MASKS,
    }
    wrong = {
        f"{kind}/{name}": (fails, *entry)
        for kind, table in tables.items()
        for name, entry in table.items()
    }
    right = {f"accepted/{name}": (accepts, *entry) for name, entry in ACCEPTED.items()}

    def bound(check: Any, expected: Any, build: Build) -> Callable[[], None]:
        return lambda: check(expected, build)

    return {name: bound(*entry) for name, entry in {**wrong, **right}.items()}
