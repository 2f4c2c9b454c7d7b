"""An activation that overwrites the result of a layer, as after PyG's layers."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import sparsegnn as sg
from sparsegnn.testing import random_graph

LAYERS: dict[str, Callable[[bool], nn.Module]] = {
    "GCNConv": lambda bias: sg.nn.GCNConv(5, 4, bias=bias),
    "GATConv": lambda bias: sg.nn.GATConv(5, 2, heads=2, bias=bias),
    "GATConv mean": lambda bias: sg.nn.GATConv(5, 4, heads=2, concat=False, bias=bias),
    "GATConv residual": lambda bias: sg.nn.GATConv(5, 2, heads=2, residual=True, bias=bias),
    "GATv2Conv": lambda bias: sg.nn.GATv2Conv(5, 2, heads=2, bias=bias),
    "GATv2Conv one head": lambda bias: sg.nn.GATv2Conv(5, 4, bias=bias),
    "SAGEConv": lambda bias: sg.nn.SAGEConv(5, 4, bias=bias),
    "SAGEConv max": lambda bias: sg.nn.SAGEConv(5, 4, aggr="max", root_weight=False, bias=bias),
    "GraphConv": lambda bias: sg.nn.GraphConv(5, 4, bias=bias),
    "GINConv": lambda bias: sg.nn.GINConv(nn.Linear(5, 4, bias=bias)),
}


def gradients(layer: nn.Module, activation: Callable[[Tensor], Tensor]) -> list[Tensor]:
    edges = random_graph(12, 12, 40, seed=2)
    torch.manual_seed(3)
    x = torch.randn(12, 5, requires_grad=True)
    y = activation(layer(x, edges.edge_index))
    return list(torch.autograd.grad(y.square().sum(), [x, *layer.parameters()]))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_gradients_through_an_activation_in_place(name: str, bias: bool) -> None:
    layer = LAYERS[name](bias)
    for activation in (nn.ReLU, nn.ELU):
        expected = gradients(layer, activation())
        actual = gradients(layer, activation(inplace=True))
        for left, right in zip(actual, expected, strict=True):
            torch.testing.assert_close(left, right)


@pytest.mark.parametrize("make", [sg.nn.GATConv, sg.nn.GATv2Conv])
def test_what_attention_returns_is_copied_only_for_a_gradient(
    make: type[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = []
    clone = Tensor.clone

    def counted(tensor: Tensor) -> Tensor:
        copies.extend([tensor] if tensor.is_floating_point() else [])
        return clone(tensor)

    monkeypatch.setattr(Tensor, "clone", counted)
    edges = random_graph(12, 12, 40, seed=2)
    for bias, expected in ((True, 0), (False, 1)):
        layer = make(5, 2, heads=2, bias=bias)
        layer(torch.randn(12, 5), edges.edge_index)
        assert len(copies) == expected
    with torch.no_grad():
        layer(torch.randn(12, 5), edges.edge_index)
    assert len(copies) == 1
