import pytest
import torch
from torch_geometric.nn import GCN as PyGGCN
from torch_geometric.nn import GCNConv as PyGGCNConv

import sparsegnn as sg
from sparsegnn.testing import random_graph


def edges_without_repeated_loops(seed: int) -> torch.Tensor:
    edges = random_graph(30, 30, 120, seed).edge_index
    simple = edges[:, edges[0] != edges[1]]
    return torch.cat([simple, torch.tensor([[4, 9], [4, 9]])], dim=1)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bias": False},
        {"improved": True},
        {"add_self_loops": False},
        {"normalize": False},
        {"cached": True},
    ],
    ids=str,
)
def test_equals_pyg_forward_and_gradients(
    options: dict[str, bool], weighted: bool, seed: int
) -> None:
    edge_index = edges_without_repeated_loops(seed)
    theirs = PyGGCNConv(16, 32, **options)
    ours = sg.nn.GCNConv(16, 32, **options)
    ours.load_state_dict(theirs.state_dict())
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    results = []
    for conv, graph in ((theirs, edge_index), (ours, sg.Graph.from_edge_index(edge_index, 30))):
        torch.manual_seed(seed)
        x = torch.randn(30, 16, requires_grad=True)
        w = torch.rand(edge_index.shape[1], requires_grad=True) if weighted else None
        y = conv(x, graph, w)
        leaves = [x, conv.lin.weight, *([w] if w is not None else [])]
        results.append((y, *torch.autograd.grad(y.square().sum(), leaves)))
    for actual, expected in zip(results[1], results[0], strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


def test_accepts_edge_index_graph_and_torch_csr() -> None:
    edge_index = edges_without_repeated_loops(0)
    conv, x = sg.nn.GCNConv(8, 4), torch.randn(30, 8)
    g = sg.Graph.from_edge_index(edge_index, 30)
    expected = conv(x, g)
    assert torch.equal(conv(x, edge_index), expected)
    adjacency = torch.sparse_coo_tensor(
        edge_index.flip(0), torch.ones(edge_index.shape[1]), (30, 30), is_coalesced=False
    )
    unique = adjacency.coalesce()
    if unique.values().numel() == edge_index.shape[1]:
        assert torch.allclose(conv(x, unique.to_sparse_csr()), expected)


def test_sparse_features_equal_dense_features() -> None:
    x = torch.randn(30, 16) * (torch.rand(30, 16) < 0.2)
    g = sg.Graph.from_edge_index(edges_without_repeated_loops(1), 30)
    for out in (3, 48):
        conv = sg.nn.GCNConv(16, out)
        sparse = sg.SparseMatrix.from_dense(x)
        torch.testing.assert_close(conv(sparse, g), conv(x, g), rtol=1e-5, atol=1e-5)


def test_stack_equals_pyg_model() -> None:
    edge_index = edges_without_repeated_loops(2)
    theirs = PyGGCN(16, 32, num_layers=3, out_channels=5).eval()
    ours = sg.nn.GCN(16, 32, 3, 5).eval()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(30, 16)
    torch.testing.assert_close(ours(x, edge_index), theirs(x, edge_index), rtol=1e-5, atol=1e-5)


def test_isolated_nodes_and_an_empty_graph() -> None:
    conv = sg.nn.GCNConv(4, 3)
    g = sg.Graph.from_edge_index(torch.zeros(2, 0, dtype=torch.int64), 5)
    x = torch.randn(5, 4)
    torch.testing.assert_close(conv(x, g), conv.lin(x) + conv.bias)
    bare = sg.nn.GCNConv(4, 3, add_self_loops=False, bias=False)
    assert bare(x, g).eq(0).all()


def test_norm_is_finite_and_zero_without_positive_degree() -> None:
    g = sg.Graph.from_edge_index(torch.tensor([[0, 1], [1, 0]]), 2)
    w = torch.tensor([0.0, -1.0], requires_grad=True)
    _, norm = sg.nn.gcn_norm(g, w, add_self_loops=False)
    assert norm.tolist() == [0.0, 0.0]
    norm.sum().backward()
    assert w.grad is not None and w.grad.isfinite().all()


def test_norm_gradient() -> None:
    g = sg.Graph.from_edge_index(edges_without_repeated_loops(3), 30)
    w = (torch.rand(g.num_edges, dtype=torch.float64) + 0.1).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: sg.nn.gcn_norm(g, v)[1], (w,), fast_mode=True)


def test_float64_keeps_its_precision() -> None:
    edge_index = edges_without_repeated_loops(4)
    theirs, ours = PyGGCNConv(6, 4).double(), sg.nn.GCNConv(6, 4).double()
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(30, 6, dtype=torch.float64)
    torch.testing.assert_close(ours(x, edge_index), theirs(x, edge_index), rtol=1e-12, atol=1e-12)


def test_bad_arguments() -> None:
    g = sg.Graph.from_edge_index(torch.tensor([[0], [1]]), 2)
    conv = sg.nn.GCNConv(4, 3)
    with pytest.raises(ValueError, match="one row per node of the graph, 2, got 3"):
        conv(torch.randn(3, 4), g)
    with pytest.raises(ValueError, match=r"edge_weight must have shape \[1\], got \[2\]"):
        conv(torch.randn(2, 4), g, torch.ones(2))
    with pytest.raises(ValueError, match="must be positive"):
        sg.nn.GCNConv(0, 3)
    with pytest.raises(ValueError, match="needs normalize=True"):
        sg.nn.GCNConv(4, 3, add_self_loops=True, normalize=False)
    with pytest.raises(ValueError, match="num_layers must be at least 1"):
        sg.nn.GCN(4, 4, 0, 2)
    with pytest.raises(ValueError, match="dropout"):
        sg.nn.GCN(4, 4, 2, 2, dropout=1.0)


def test_training_after_inference_mode() -> None:
    """Whatever inference mode left in the caches of a graph can be saved for a backward pass."""
    edge_index = edges_without_repeated_loops(5)
    x = torch.randn(30, 8)
    with torch.inference_mode():
        g = sg.Graph.from_edge_index(edge_index, 30)
        conv = sg.nn.GCNConv(8, 3).requires_grad_(False)
        expected = conv(x, g)
        derived = (g.in_storage_order(), g.with_self_loops(), g.transpose(), g.pairs()[0])
        assert not derived[-1].is_inference()
        assert not g.edge_index.is_inference()
    trained = sg.nn.GCNConv(8, 3)
    trained.load_state_dict(conv.state_dict())
    y = trained(x, g)
    torch.testing.assert_close(y, expected.clone())
    y.sum().backward()
    weight = torch.rand(g.num_edges, requires_grad=True)
    trained(x, g, weight).sum().backward()
    assert weight.grad is not None
    for graph in derived[:3]:
        value = torch.rand(graph.num_edges, requires_grad=True)
        sg.ops.spmm(graph, x, value).sum().backward()
