import pytest
import torch

import sparsegnn as sg
from sparsegnn.testing import ADVERSARIAL, adversarial_graph, assert_close, reference_sddmm

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]


@pytest.mark.parametrize("name", ADVERSARIAL)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_adversarial_graphs(isa: int, name: str, dtype: torch.dtype) -> None:
    edges = adversarial_graph(name)
    g, e = edges.graph(), edges.edge_index.shape[1]
    a = torch.randn(edges.num_dst, 33).to(dtype)
    b = torch.randn(edges.num_src, 33).to(dtype)
    for mask in (None, torch.rand(e), torch.rand(e) > 0.4):
        actual = sg.ops.sddmm(g, a, b, mask)
        # The products are exact in the accumulator: only the sums round.
        kind = torch.float64 if dtype == torch.float64 else torch.float32
        assert actual.dtype == kind
        assert_close(actual, reference_sddmm(edges.edge_index, a, b, mask), kind)


@pytest.mark.parametrize("width", [0, 1, 3, 7, 16, 31, 33, 64, 100, 128, 257])
def test_every_width(isa: int, width: int) -> None:
    edges = adversarial_graph("random")
    a, b = torch.randn(edges.num_dst, width), torch.randn(edges.num_src, width)
    expected = reference_sddmm(edges.edge_index, a, b)
    assert_close(sg.ops.sddmm(edges.graph(), a, b), expected)


def test_dropped_edges_are_zero_behind_nan() -> None:
    g = sg.Graph.from_edge_index(torch.tensor([[0, 1], [0, 0]]), 2)
    b = torch.tensor([[1.0], [float("nan")]])
    keep = torch.tensor([True, False])
    assert sg.ops.sddmm(g, torch.ones(2, 1), b, keep).tolist() == [1.0, 0.0]


def test_64_bit_indices_by_a_lowered_limit(isa: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparsegnn.graph._INT32_LIMIT", 10)
    edges = adversarial_graph("random")
    a, b = torch.randn(edges.num_dst, 20), torch.randn(edges.num_src, 20)
    expected = reference_sddmm(edges.edge_index, a, b)
    assert_close(sg.ops.sddmm(edges.graph(), a, b), expected)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_same_bits_for_every_thread_count(threads: int) -> None:
    g = sg.testing.power_law_graph(1000, 20000)
    a, b = torch.randn(1000, 40), torch.randn(1000, 40)
    torch.set_num_threads(1)
    expected = sg.ops.sddmm(g, a, b)
    torch.set_num_threads(threads)
    assert torch.equal(sg.ops.sddmm(g, a, b), expected)
