from typing import Any

import pytest
import torch
from torch_geometric.nn import GATv2Conv as PyGGATv2Conv

import sparsegnn as sg
from sparsegnn.testing import random_graph

EDGES = random_graph(30, 30, 150, 1).edge_index


def gradients(conv: torch.nn.Module, y: torch.Tensor, *leaves: torch.Tensor) -> list[torch.Tensor]:
    parameters = dict(conv.named_parameters())
    upstream = torch.randn(y.shape, generator=torch.Generator().manual_seed(9), dtype=y.dtype)
    found = torch.autograd.grad(
        y, [*leaves, *(parameters[n] for n in sorted(parameters))], upstream
    )
    return [y, *found]


def same(ours: list[torch.Tensor], theirs: list[torch.Tensor]) -> None:
    for actual, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


def pair(*arguments: Any, **options: Any) -> tuple[PyGGATv2Conv, sg.nn.GATv2Conv]:
    theirs, ours = PyGGATv2Conv(*arguments, **options), sg.nn.GATv2Conv(*arguments, **options)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


OPTIONS: list[dict[str, Any]] = [
    {},
    {"heads": 4},
    {"heads": 3, "concat": False},
    {"heads": 2, "negative_slope": 0.5, "bias": False},
    {"heads": 2, "add_self_loops": False},
    {"heads": 2, "share_weights": True},
    {"heads": 2, "residual": True},
    {"heads": 2, "concat": False, "residual": True},
    *({"heads": 2, "edge_dim": 5, "fill_value": f} for f in ("mean", "add", "max", 0.5)),
    {"heads": 2, "edge_dim": 1, "fill_value": torch.tensor([2.0])},
]


@pytest.mark.parametrize("as_graph", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_equals_pyg_forward_and_gradients(options: dict[str, Any], as_graph: bool) -> None:
    theirs, ours = pair(16, 8, **options)
    x = torch.randn(30, 16, requires_grad=True)
    attr = torch.randn(150, options["edge_dim"]) if "edge_dim" in options else None
    leaves = [x] if attr is None else [x, attr.requires_grad_()]
    graph = sg.Graph.from_edge_index(EDGES, 30) if as_graph else EDGES
    expected = gradients(theirs, theirs(x, EDGES, attr), *leaves)
    same(gradients(ours, ours(x, graph, attr), *leaves), expected)


@pytest.mark.parametrize("loops", [False, True])
@pytest.mark.parametrize("residual", [False, True])
def test_bipartite(residual: bool, loops: bool) -> None:
    edges = random_graph(20, 30, 90, 2)
    theirs, ours = pair((6, 7), 5, heads=2, add_self_loops=loops, residual=residual)
    x = (torch.randn(30, 6, requires_grad=True), torch.randn(20, 7, requires_grad=True))
    expected = gradients(theirs, theirs(x, edges.edge_index), *x)
    same(gradients(ours, ours(x, edges.graph()), *x), expected)


@pytest.mark.parametrize("edge_dim", [None, 3])
def test_attention_weights(edge_dim: int | None) -> None:
    theirs, ours = pair(8, 4, 2, edge_dim=edge_dim)
    x, attr = torch.randn(30, 8), torch.randn(150, 3) if edge_dim else None
    y, (edges, alpha) = theirs(x, EDGES, attr, return_attention_weights=True)
    actual, (our_edges, our_alpha) = ours(x, EDGES, attr, return_attention_weights=True)
    assert torch.equal(our_edges, edges)
    same([actual, our_alpha], [y, alpha])


@pytest.mark.parametrize("edge_dim", [None, 3])
def test_dropout_is_what_the_returned_weights_say(edge_dim: int | None) -> None:
    conv = sg.nn.GATv2Conv(8, 4, 2, dropout=0.5, bias=False, edge_dim=edge_dim)
    x, attr = torch.randn(30, 8), torch.randn(150, 3) if edge_dim else None
    y, (edges, alpha) = conv(x, EDGES, attr, return_attention_weights=True)
    assert 0.3 < float(alpha.eq(0).float().mean()) < 0.7
    messages = alpha.unsqueeze(2) * conv.lin_l(x).view(30, 2, 4)[edges[0]]
    expected = torch.zeros(30, 2, 4).index_add(0, edges[1], messages).flatten(1)
    torch.testing.assert_close(y, expected, rtol=1e-5, atol=1e-5)
    conv.eval()
    assert torch.equal(conv(x, EDGES, attr), conv(x, EDGES, attr))


@pytest.mark.parametrize("edge_dim", [None, 3])
def test_masked_edges_are_absent(edge_dim: int | None) -> None:
    conv, keep = sg.nn.GATv2Conv(8, 4, 2, edge_dim=edge_dim), torch.rand(150) > 0.4
    x, attr = torch.randn(30, 8), torch.randn(150, 3) if edge_dim else None
    expected = conv(x, EDGES[:, keep], None if attr is None else attr[keep])
    for mask in (keep, sg.Mask.from_bool(keep)):
        torch.testing.assert_close(conv(x, EDGES, attr, edge_mask=mask), expected)


def test_isolated_nodes_an_empty_graph_and_float64() -> None:
    empty = torch.zeros(2, 0, dtype=torch.int64)
    x = torch.randn(5, 8)
    assert sg.nn.GATv2Conv(8, 4, 2, add_self_loops=False, bias=False)(x, empty).eq(0).all()
    conv = sg.nn.GATv2Conv(8, 4, 2, bias=False)
    torch.testing.assert_close(conv(x, empty), conv.lin_l(x))
    theirs, ours = (layer.double() for layer in pair(8, 4, 2))
    x = torch.randn(30, 8, dtype=torch.float64)
    torch.testing.assert_close(ours(x, EDGES), theirs(x, EDGES), rtol=1e-12, atol=1e-12)


def test_the_start_is_pygs() -> None:
    """Glorot bounds for the weights, uniform biases of the projections, zero for the layer's."""
    conv = sg.nn.GATv2Conv(60, 10, 4)
    assert 0.9 < float(conv.lin_l.weight.detach().abs().max()) * (100 / 6) ** 0.5 <= 1.0
    assert 0.5 < float(conv.lin_r.bias.detach().abs().max()) * 60**0.5 <= 1.0
    assert conv.bias is not None and conv.bias.eq(0).all()


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        sg.nn.GATv2Conv(8, 0)
    with pytest.raises(ValueError, match="dropout must lie"):
        sg.nn.GATv2Conv(8, 4, dropout=1.5)
    conv, graph = sg.nn.GATv2Conv(8, 4, edge_dim=2), sg.Graph.from_edge_index(EDGES, 30)
    with pytest.raises(ValueError, match="one row per node of the graph, 30, got 29"):
        conv(torch.randn(29, 8), graph)
    with pytest.raises(ValueError, match="edge_attr must have one row per edge, 150"):
        conv(torch.randn(30, 8), graph, torch.randn(3, 2))
    with pytest.raises(ValueError, match="x must hold features of the targets"):
        conv((torch.randn(30, 8), None), graph)
