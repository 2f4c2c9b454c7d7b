import copy

import pytest
import torch
from torch import nn

import sparsegnn as sg
from sparsegnn.nn import MaskedLinear, SparseLinear
from sparsegnn.testing import assert_close


def masked(linear: nn.Linear, mask: torch.Tensor) -> nn.Linear:
    with torch.no_grad():
        linear.weight.mul_(mask)
    return linear


@pytest.fixture
def mask() -> torch.Tensor:
    return torch.rand(6, 9) < 0.4


@pytest.mark.parametrize("kind", [SparseLinear, MaskedLinear])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(9,), (4, 9), (2, 3, 9), (0, 9)])
def test_equals_the_dense_layer(
    kind: type[nn.Module], bias: bool, shape: tuple[int, ...], mask: torch.Tensor
) -> None:
    linear = nn.Linear(9, 6, bias=bias)
    layer = kind.from_linear(linear, mask)  # type: ignore[attr-defined]
    masked(linear, mask)
    x = torch.randn(shape, requires_grad=True)
    y = layer(x)
    assert y.shape == linear(x).shape
    assert_close(y, linear(x).detach())
    (expected,) = torch.autograd.grad(linear(x).square().sum(), x)
    (actual,) = torch.autograd.grad(y.square().sum(), x)
    assert_close(actual, expected)


def test_sparse_layer_has_gradients_at_kept_entries_only(mask: torch.Tensor) -> None:
    linear = nn.Linear(9, 6)
    layer = SparseLinear.from_linear(linear, mask)
    masked(linear, mask)
    x = torch.randn(5, 9)
    linear(x).square().sum().backward()
    layer(x).square().sum().backward()
    assert linear.weight.grad is not None and layer.weight.values.grad is not None
    assert_close(layer.weight.values.grad, linear.weight.grad[mask])


@pytest.mark.parametrize("bias", [False, True])
def test_signature_and_start_of_the_dense_layer(bias: bool) -> None:
    layer = SparseLinear(100, 50, bias, dtype=torch.float64)
    assert layer.weight.values.dtype == torch.float64
    assert layer.weight.shape == (50, 100)
    assert float(layer.weight.values.abs().max()) <= 0.1
    assert float(layer.weight.values.std()) == pytest.approx(0.1 / 3**0.5, rel=0.1)
    assert (layer.bias is None) != bias
    assert repr(layer).startswith("SparseLinear(\n  in_features=100, out_features=50")
    assert MaskedLinear(100, 50, bias).weight.shape == (50, 100)


@pytest.mark.parametrize("kind", [SparseLinear, MaskedLinear])
def test_state_dict_round_trip(kind: type[nn.Module], mask: torch.Tensor) -> None:
    first, second = (kind(9, 6, mask=mask) for _ in range(2))  # type: ignore[call-arg]
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    x = torch.randn(4, 9)
    assert torch.equal(first(x), second(x))
    assert torch.equal(copy.deepcopy(first)(x), first(x))


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.01),
        lambda p: torch.optim.Adam(p, 0.1, weight_decay=0.01),
        lambda p: torch.optim.AdamW(p, 0.1),
    ],
)
def test_masked_training_keeps_pruned_entries_at_zero(make, mask: torch.Tensor) -> None:  # type: ignore[no-untyped-def]
    layer = MaskedLinear(9, 6, mask=mask)
    optimizer = make(layer.parameters())
    before = layer.weight.detach().clone()
    for _ in range(5):
        optimizer.zero_grad()
        layer(torch.randn(7, 9)).square().sum().backward()
        optimizer.step()
    assert (layer.weight[~mask] == 0).all()
    assert (layer.weight[mask] != before[mask]).all()


def test_masked_layer_to_sparse(mask: torch.Tensor) -> None:
    layer = MaskedLinear(9, 6, mask=mask)
    x = torch.randn(3, 9)
    sparse = layer.to_sparse()
    assert sparse.weight.nnz == int(mask.sum())
    assert_close(sparse(x), layer(x).detach())


def test_a_new_mask_and_clearing_by_hand(mask: torch.Tensor) -> None:
    layer = MaskedLinear(9, 6)
    layer.set_mask(mask)
    with torch.no_grad():
        layer.weight.fill_(1)
    layer.fold_()
    assert torch.equal(layer.weight != 0, mask)
    with pytest.raises(ValueError, match=r"mask must be bool of shape \[6, 9\]"):
        layer.set_mask(mask.t())


@pytest.mark.parametrize("kind", [SparseLinear, MaskedLinear])
def test_compiles_to_one_graph(kind: type[nn.Module], mask: torch.Tensor) -> None:
    torch._dynamo.reset()
    layer = kind(9, 6, mask=mask)  # type: ignore[call-arg]
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    x = torch.randn(4, 9, requires_grad=True)
    (expected,) = torch.autograd.grad(layer(x).square().sum(), x)
    (actual,) = torch.autograd.grad(compiled(x).square().sum(), x)
    assert_close(actual, expected)


def test_exported_names() -> None:
    assert sg.nn.SparseLinear is SparseLinear
    assert sg.nn.MaskedLinear is MaskedLinear
