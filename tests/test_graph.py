import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sparsegnn as sg
from sparsegnn.testing import ADVERSARIAL, adversarial_graph, random_graph

EDGES = torch.tensor([[2, 0, 1, 2, 0], [1, 1, 0, 2, 1]])


def test_csr_by_target_and_its_transpose() -> None:
    g = sg.Graph.from_edge_index(EDGES, 4)
    assert g.rowptr.tolist() == [0, 1, 4, 5, 5]
    assert g.col.tolist() == [1, 0, 0, 2, 2]
    assert g.edge_id is not None
    assert g.edge_id.tolist() == [2, 1, 4, 0, 3]
    assert g.csr.t_rowptr.tolist() == [0, 2, 3, 5, 5]
    assert g.csr.t_col.tolist() == [1, 1, 0, 1, 2]
    assert g.rowptr.dtype == torch.int32


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_edge_index_round_trip(name: str) -> None:
    edges = adversarial_graph(name)
    g = edges.graph()
    assert torch.equal(g.edge_index, edges.edge_index)
    assert g.num_edges == edges.edge_index.shape[1]
    assert torch.equal(g.transpose().edge_index, edges.edge_index.flip(0))
    assert g.in_degree().sum() == g.out_degree().sum() == g.num_edges
    order = g.canonical_order()
    assert torch.equal(g.in_storage_order().edge_index, edges.edge_index[:, order])


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 12), st.integers(0, 40), st.integers(0, 10_000))
def test_fingerprint_and_storage_order_ignore_the_order_of_edges(
    nodes: int, count: int, seed: int
) -> None:
    edges = random_graph(nodes, nodes, count, seed)
    shuffled = edges.edge_index[:, torch.randperm(count)]
    g, h = edges.graph(), sg.Graph.from_edge_index(shuffled, nodes)
    assert g.fingerprint() == h.fingerprint()
    assert torch.equal(g.in_storage_order().edge_index, h.in_storage_order().edge_index)
    if count:
        fewer = sg.Graph.from_edge_index(edges.edge_index[:, 1:], nodes)
        assert fewer.fingerprint() != g.fingerprint()


def test_pairs_join_both_directions_and_parallel_edges() -> None:
    g = sg.Graph.from_edge_index(torch.tensor([[0, 1, 2, 1, 0, 3], [1, 0, 1, 2, 1, 3]]), 4)
    pair, count = g.pairs()
    assert pair.tolist() == [0, 0, 1, 1, 0, 2]
    assert count == 3


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 10), st.integers(0, 30), st.integers(0, 10_000))
def test_pairs_property(nodes: int, count: int, seed: int) -> None:
    edges = random_graph(nodes, nodes, count, seed)
    pair, total = edges.graph().pairs()
    keys = [tuple(sorted(edge)) for edge in edges.edge_index.t().tolist()]
    assert total == len(set(keys))
    assert len(set(zip(keys, pair.tolist(), strict=True))) == total


def test_self_loops_are_added_once_after_the_edges() -> None:
    g = sg.Graph.from_edge_index(torch.tensor([[0, 1, 1], [1, 1, 0]]), 3)
    looped = g.with_self_loops()
    assert looped.edge_index.tolist() == [[0, 1, 1, 0, 2], [1, 1, 0, 0, 2]]
    assert g.loop_nodes.tolist() == [0, 2]
    assert g.with_self_loops() is looped


def test_select_by_bool_and_by_mask() -> None:
    g = sg.Graph.from_edge_index(EDGES, 4)
    keep = torch.tensor([True, False, True, True, False])
    assert torch.equal(g.select(keep).edge_index, EDGES[:, keep])
    assert torch.equal(g.select(sg.Mask.from_bool(keep)).edge_index, EDGES[:, keep])
    assert g.select(keep).num_nodes == 4


def test_other_sources_agree() -> None:
    dense = torch.tensor([[0.0, 1, 0], [2, 0, 3]])
    matrix = scipy.sparse.csr_matrix(dense.numpy())
    expected = sg.SparseMatrix.from_dense(dense)
    for other in (
        sg.SparseMatrix.from_scipy(matrix),
        sg.SparseMatrix.from_torch(dense.to_sparse_csr()),
        sg.SparseMatrix.from_torch(dense.to_sparse()),
        sg.SparseMatrix.from_torch(dense),
    ):
        assert torch.equal(other.to_dense(), dense)
        assert other.pattern.fingerprint() == expected.pattern.fingerprint()
    assert torch.equal(expected.to_torch().to_dense(), dense)


def test_pyg_data_and_edge_index_object() -> None:
    from torch_geometric import EdgeIndex
    from torch_geometric.data import Data

    data = Data(edge_index=EDGES, num_nodes=4)
    expected = sg.Graph.from_edge_index(EDGES, 4).fingerprint()
    assert sg.Graph.from_pyg(data).fingerprint() == expected
    wrapped = EdgeIndex(EDGES, sparse_size=(4, 4))
    assert sg.Graph.from_edge_index(wrapped, 4).fingerprint() == expected


@pytest.mark.parametrize(
    "edges,nodes,error,message",
    [
        (torch.tensor([[0, 5], [1, 0]]), 5, ValueError, r"source .* \[0, 5\), got 5 at position 1"),
        (torch.tensor([[0, 1], [-1, 0]]), 5, ValueError, r"target .* got -1 at position 0"),
        (torch.zeros(3, 2, dtype=torch.int64), 5, ValueError, r"shape \[2, E\], got \[3, 2\]"),
        (torch.zeros(2, dtype=torch.int64), 5, ValueError, r"shape \[2, E\], got \[2\]"),
        (torch.zeros(2, 2), 5, TypeError, "integer dtype, got torch.float32"),
        ([[0], [1]], 2, TypeError, "must be a tensor, got list"),
        (torch.zeros(2, 0, dtype=torch.int64), -1, ValueError, "must not be negative"),
    ],
)
def test_bad_edges(edges: object, nodes: int, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        sg.Graph.from_edge_index(edges, nodes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "rowptr,col,message",
    [
        ([0, 2, 1], [0], "non-decreasing"),
        ([1, 2], [0, 0], "starts at 0"),
        ([0, 2], [0], "end with the number of columns 1, got 2"),
        ([0, 1], [9], r"\[0, 3\), got 9 at position 0"),
    ],
)
def test_bad_csr(rowptr: list[int], col: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sg.Graph.from_csr(torch.tensor(rowptr), torch.tensor(col), 3)


def test_bad_selections_and_shapes() -> None:
    g = sg.Graph.from_edge_index(EDGES, 4)
    with pytest.raises(ValueError, match=r"keep must be a bool vector of shape \[5\]"):
        g.select(torch.ones(4, dtype=torch.bool))
    with pytest.raises(ValueError, match="keep must be a bool vector"):
        g.select(torch.ones(5))
    with pytest.raises(ValueError, match="square graphs only"):
        _ = adversarial_graph("wide").graph().num_nodes
    with pytest.raises(ValueError, match="together"):
        sg.Graph.from_edge_index(EDGES, num_src=4)
    with pytest.raises(ValueError, match=r"values must have shape \[5\]"):
        sg.SparseMatrix(g, torch.ones(4))
    with pytest.raises(TypeError, match="floating point"):
        sg.SparseMatrix(g, torch.ones(5, dtype=torch.int64))


def test_import_is_light() -> None:
    """`import sparsegnn` starts no CUDA, imports no PyG and prints nothing."""
    import subprocess
    import sys

    code = (
        "import sys, sparsegnn, torch;"
        "assert not torch.cuda.is_initialized();"
        "assert 'torch_geometric' not in sys.modules;"
        "assert 'matplotlib' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_large_edge_lists_sort_like_numpy() -> None:
    edges = random_graph(500, 300, 20_000, 3)
    g = edges.graph()
    source, target = edges.edge_index.numpy()
    order = np.lexsort((source, target))
    assert np.array_equal(g.canonical_order().numpy(), order)
