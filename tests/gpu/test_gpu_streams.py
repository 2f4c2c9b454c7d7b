"""Streams, devices and repeatability."""

import pytest
import torch
from every_operator import EDGES, NAMES, NODES, WIDTH, flat, operators

import sparsegnn as sg
from sparsegnn.testing import power_law_graph


def delay() -> None:
    """Keeps the current stream busy for some milliseconds."""
    a = torch.ones(4096, 4096, device="cuda")
    for _ in range(20):
        a = a @ a / 4096


def test_torch_gives_its_stream() -> None:
    assert torch.ops.sparsegnn.stream_symbol_resolved()


@pytest.mark.parametrize("name", NAMES)
def test_work_is_queued_on_the_current_stream(name: str) -> None:
    run = operators()[name]
    source = torch.randn(NODES, WIDTH, device="cuda")
    expected = flat(run(source))
    x = torch.zeros_like(source)
    side = torch.cuda.Stream()
    torch.cuda.synchronize()
    with torch.cuda.stream(side):
        delay()
        x.copy_(source)
        actual = flat(run(x))
    side.synchronize()
    assert all(torch.equal(*pair) for pair in zip(actual, expected, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_repeated_calls_give_the_same_bits(name: str) -> None:
    run = operators()[name]
    x = torch.randn(NODES, WIDTH, device="cuda")
    first = flat(run(x))
    for _ in range(10):
        assert all(torch.equal(*pair) for pair in zip(flat(run(x)), first, strict=True))


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_tensors_of_another_device_than_the_current() -> None:
    graph = power_law_graph(NODES, EDGES).to("cuda")
    x = torch.randn(NODES, WIDTH, device="cuda")
    expected = sg.ops.spmm(graph, x)
    with torch.cuda.device(0):
        actual = sg.ops.spmm(graph.to("cuda:1"), x.to("cuda:1"))
    assert actual.device == torch.device("cuda:1")
    assert torch.equal(actual.cpu(), expected.cpu())


def test_tensors_of_two_devices_are_refused() -> None:
    graph = power_law_graph(NODES, EDGES).to("cuda")
    x = torch.randn(NODES, WIDTH, device="cuda")
    with pytest.raises((ValueError, RuntimeError)):
        sg.ops.spmm(graph, x.cpu())
