"""Every operator captured in a CUDA graph and replayed on changed inputs, forward and backward."""

from collections.abc import Callable

import pytest
import torch
from every_operator import EDGES, NAMES, NODES, WIDTH, Run, flat, operators
from torch import Tensor

import sparsegnn as sg
from sparsegnn.testing import power_law_graph


def steps() -> dict[str, Run]:
    """Forward and backward of every differentiable operator."""
    graph = power_law_graph(NODES, EDGES).to("cuda")
    values = torch.rand(EDGES, device="cuda", requires_grad=True)
    dense = torch.randn(96, WIDTH) * (torch.rand(96, WIDTH) < 0.2)
    weight = sg.SparseWeight.from_dense(dense).to("cuda")

    def gradients(function: Callable[[Tensor], Tensor], *more: Tensor) -> Run:
        def step(x: Tensor) -> object:
            leaf = x.detach().requires_grad_()
            return torch.autograd.grad(function(leaf).square().sum(), (leaf, *more))

        return step

    return {
        "spmm": gradients(lambda x: sg.ops.spmm(graph, x, values, relu=True), values),
        "sddmm": gradients(lambda x: sg.ops.sddmm(graph, x, x)),
        "sparse_linear": gradients(lambda x: sg.ops.sparse_linear(x, weight), weight.values),
    }


def replay(run: Run) -> None:
    """Captures `run` once; three replays must equal three plain calls."""
    x = torch.randn(NODES, WIDTH, device="cuda")
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        run(x)
    torch.cuda.current_stream().wait_stream(side)
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        results = flat(run(x))
    for _ in range(3):
        x.copy_(torch.randn_like(x))
        captured.replay()
        for got, expected in zip(results, flat(run(x)), strict=True):
            assert torch.equal(got, expected)


@pytest.mark.parametrize("name", NAMES)
def test_capture_of_an_operator(name: str) -> None:
    replay(operators()[name])


@pytest.mark.parametrize("name", ["spmm", "sddmm", "sparse_linear"])
def test_capture_of_a_training_step(name: str) -> None:
    replay(steps()[name])


def test_names_are_those_of_the_operators() -> None:
    assert sorted(operators()) == sorted(NAMES)


def test_a_captured_dropout_takes_the_seed_that_is_there_at_replay() -> None:
    graph = power_law_graph(NODES, EDGES).to("cuda")
    x, seed = torch.rand(NODES, WIDTH, device="cuda"), torch.tensor([1], device="cuda")
    sg.ops.spmm(graph, x, dropout=0.5, seed=seed)
    torch.cuda.synchronize()
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        y = sg.ops.spmm(graph, x, dropout=0.5, seed=seed)
    for value in (1, 2):
        seed.fill_(value)
        captured.replay()
        assert torch.equal(y, sg.ops.spmm(graph, x, dropout=0.5, seed=value))
