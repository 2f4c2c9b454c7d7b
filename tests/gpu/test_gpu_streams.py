"""Streams, devices, repeatability and CUDA graphs."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import sparsegnn as sg
from sparsegnn.testing import power_law_graph


def inputs() -> tuple[sg.Graph, Tensor, sg.SparseWeight]:
    graph = power_law_graph(3000, 40_000).to("cuda")
    x = torch.randn(3000, 64, device="cuda")
    dense = torch.randn(96, 64) * (torch.rand(96, 64) < 0.2)
    return graph, x, sg.SparseWeight.from_dense(dense).to("cuda")


def operators() -> dict[str, Callable[[Tensor], Tensor]]:
    """One call of every operator as a function of x, without a host synchronisation."""
    graph, _, weight = inputs()
    mask = sg.Mask.from_bool(torch.rand(graph.num_edges) < 0.7).to("cuda")
    values = torch.rand(graph.num_edges, device="cuda")
    return {
        "spmm": lambda x: sg.ops.spmm(graph, x, values, mask),
        "sddmm": lambda x: sg.ops.sddmm(graph, x, x),
        "sparse_linear": lambda x: sg.ops.sparse_linear(x, weight).detach(),
        "topk_mask": lambda x: sg.ops.topk_mask([x], 5000)[0],
    }


OPERATORS = ["spmm", "sddmm", "sparse_linear", "topk_mask"]


def delay() -> None:
    """Keeps the current stream busy for some milliseconds."""
    a = torch.ones(4096, 4096, device="cuda")
    for _ in range(20):
        a = a @ a / 4096


def test_torch_gives_its_stream() -> None:
    assert torch.ops.sparsegnn.stream_symbol_resolved()


@pytest.mark.parametrize("name", OPERATORS)
def test_work_is_queued_on_the_current_stream(name: str) -> None:
    run = operators()[name]
    source = torch.randn(3000, 64, device="cuda")
    expected = run(source)
    x = torch.zeros_like(source)
    side = torch.cuda.Stream()
    torch.cuda.synchronize()
    with torch.cuda.stream(side):
        delay()
        x.copy_(source)
        actual = run(x)
    side.synchronize()
    assert torch.equal(actual, expected)


@pytest.mark.parametrize("name", OPERATORS)
def test_repeated_calls_give_the_same_bits(name: str) -> None:
    run = operators()[name]
    x = torch.randn(3000, 64, device="cuda")
    first = run(x)
    for _ in range(10):
        assert torch.equal(run(x), first)


@pytest.mark.parametrize("name", OPERATORS)
def test_capture_in_a_cuda_graph(name: str) -> None:
    run = operators()[name]
    x = torch.randn(3000, 64, device="cuda")
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        run(x)
    torch.cuda.current_stream().wait_stream(side)
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        y = run(x)
    for _ in range(3):
        x.copy_(torch.randn_like(x))
        captured.replay()
        assert torch.equal(y, run(x))


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_tensors_of_another_device_than_the_current() -> None:
    graph, x, _ = inputs()
    expected = sg.ops.spmm(graph, x)
    with torch.cuda.device(0):
        actual = sg.ops.spmm(graph.to("cuda:1"), x.to("cuda:1"))
    assert actual.device == torch.device("cuda:1")
    assert torch.equal(actual.cpu(), expected.cpu())


def test_tensors_of_two_devices_are_refused() -> None:
    graph, x, _ = inputs()
    with pytest.raises((ValueError, RuntimeError)):
        sg.ops.spmm(graph, x.cpu())
