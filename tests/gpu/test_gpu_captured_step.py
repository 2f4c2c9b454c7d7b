"""A captured step trains as the plain loop does."""

import copy

import pytest
import torch
from torch import nn

import sparsegnn as sg
from sparsegnn.testing import power_law_graph
from sparsegnn.training import CapturedStep, L1Adam, sparsify

NODES, FEATURES, CLASSES = 2000, 64, 5


def parts(dropout: float = 0.0):
    torch.manual_seed(0)
    graph = power_law_graph(NODES, 12_000).to("cuda")
    model = sg.nn.GCN(FEATURES, 32, 2, CLASSES, dropout=dropout).to("cuda")
    x = torch.randn(NODES, FEATURES, device="cuda")
    y = torch.randint(CLASSES, (NODES,), device="cuda")
    return model, x, graph, lambda output: nn.functional.cross_entropy(output, y)


def sparse_of(model: nn.Module, graph: sg.Graph) -> nn.Module:
    masks = {
        name: torch.rand(parameter.shape) < 0.1
        for name, parameter in model.named_parameters()
        if parameter.dim() == 2
    }
    return sparsify(model, graph, weight_masks=masks)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("kind", ["adam", "sgd", "l1"])
def test_it_trains_as_the_plain_loop(kind: str, sparse: bool) -> None:
    model, x, graph, loss_fn = parts()
    inputs = (x,) if sparse else (x, graph)
    model = sparse_of(model, graph) if sparse else model
    twin = copy.deepcopy(model)
    make = {
        "adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=5e-4, capturable=True),
        "sgd": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
        "l1": lambda p: L1Adam(p, lr=0.01, l1=1e-3, minimum=-0.5, capturable=True),
    }[kind]
    optimizer = make(model.parameters())
    step = CapturedStep(twin, loss_fn, make(twin.parameters()), inputs=inputs)
    for _ in range(10):
        optimizer.zero_grad()
        loss = loss_fn(model(*inputs))
        loss.backward()
        optimizer.step()
        torch.testing.assert_close(step(), loss.detach(), rtol=1e-4, atol=1e-5)
    for a, b in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_dropout_is_drawn_anew_in_every_replay() -> None:
    model, x, graph, loss_fn = parts(dropout=0.5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    step = CapturedStep(model, loss_fn, optimizer, inputs=(x, graph))
    losses = [step().item() for _ in range(12)]
    assert len(set(losses[3:])) > 6


def test_a_learning_rate_takes_effect() -> None:
    model, x, graph, loss_fn = parts()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    step = CapturedStep(model, loss_fn, optimizer, inputs=(x, graph))
    for _ in range(5):
        step()
    optimizer.param_groups[0]["lr"] = 0.0
    before = [p.detach().clone() for p in model.parameters()]
    step()
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_forward_pass_and_new_inputs() -> None:
    model, x, graph, _ = parts(dropout=0.5)
    step = CapturedStep(model, inputs=(x, graph))
    for _ in range(5):
        features = torch.randn_like(x)
        torch.testing.assert_close(step(features, graph), model(features, graph).detach())


def test_what_cannot_be_captured_is_named() -> None:
    model, x, graph, loss_fn = parts()
    optimizer = torch.optim.Adam(model.parameters())
    with pytest.raises(ValueError, match="capturable=True"):
        CapturedStep(model, loss_fn, optimizer, inputs=(x, graph))
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)

    def waits(output: torch.Tensor) -> torch.Tensor:
        loss = loss_fn(output)
        return loss if loss.item() > 0 else -loss

    step = CapturedStep(model, waits, sgd, inputs=(x, graph), warmup=1)
    step()
    with pytest.raises(ValueError, match="without waiting for the GPU"):
        step()
