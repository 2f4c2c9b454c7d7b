import pytest
import torch

from bench.bandwidth import Traffic, copy_bandwidth, with_copy_fraction
from bench.inputs import EdgeList
from bench.memory import _peak, held_at_peak, peak_bytes
from bench.schema import CaseRecord
from bench.stats import summarize

MIB = 1 << 20


def test_the_largest_sum_of_held_bytes_counts() -> None:
    assert _peak([4, 4, -4, 2, -6]) == 8
    assert _peak([-4, 2]) == 0 == _peak([])


def test_results_and_temporaries_are_counted() -> None:
    assert peak_bytes(lambda: torch.empty(MIB, dtype=torch.uint8)) == MIB

    def with_temporary() -> torch.Tensor:
        first = torch.zeros(MIB, dtype=torch.uint8)
        second = first.clone()
        del first
        return second.clone()

    assert peak_bytes(with_temporary) == 2 * MIB


def test_what_is_held_at_the_peak_is_named() -> None:
    def run() -> torch.Tensor:
        first = torch.zeros(MIB, dtype=torch.uint8)
        second = first.clone()
        del first
        return second

    held = held_at_peak(run, least=MIB)
    assert [block.bytes for block in held] == [MIB, MIB]
    assert "zeros" in held[0].operator and "clone" in held[1].operator


def test_memory_of_a_backward_pass_is_counted() -> None:
    x = torch.zeros(MIB // 4, requires_grad=True)
    peak = peak_bytes(lambda: torch.autograd.grad(x.exp().sum(), x))
    assert 2 * MIB <= peak < 3 * MIB


def test_bytes_of_an_aggregation_by_hand() -> None:
    edges = EdgeList("hand", torch.tensor([[0, 0, 1], [0, 1, 1]]), torch.ones(3), num_nodes=4)
    traffic = Traffic.of_spmm(edges, width=2)
    written, pointers, indices = 4 * 2 * 4, 5 * 4, 3 * (4 + 4)
    assert traffic.gathered == written + pointers + indices + 3 * 2 * 4
    assert traffic.compulsory == written + pointers + indices + 2 * 2 * 4
    half = Traffic.of_spmm(edges, width=2, feature_bytes=2)
    assert half.gathered == written // 2 + pointers + indices + 3 * 2 * 2


def test_rates_are_compared_with_the_copy_of_their_thread_count() -> None:
    case = CaseRecord(
        name="spmm/a/width=1",
        params={},
        threads=2,
        subject="sparsegnn",
        timings={},
        ratios=[],
        max_error={},
        values=Traffic(gathered=6_000_000_000, compulsory=3_000_000_000).rates(2.0),
    )
    copies = {1: summarize([1.0]), 2: summarize([6.0])}
    values = with_copy_fraction(case, copies).values
    assert values["gb_per_s"] == pytest.approx(3.0)
    assert values["of_copy"] == pytest.approx(0.5)
    assert values["compulsory_of_copy"] == pytest.approx(0.25)
    assert with_copy_fraction(case, {}) == case


def test_copy_bandwidth_names_its_means() -> None:
    measured = copy_bandwidth(mebibytes=1, rounds=3)
    assert measured.means in ("torch copy_", "memcpy per thread")
    assert measured.gb_per_s.median > 0 and measured.bytes_moved == 2 * MIB


def test_copies_by_memcpy_copy_everything() -> None:
    from concurrent.futures import ThreadPoolExecutor

    from bench.bandwidth import _sliced_memcpy

    source, target = torch.randn(1001), torch.zeros(1001)
    with ThreadPoolExecutor(3) as pool:
        _sliced_memcpy(target, source, 3, pool)()
    assert torch.equal(source, target)
