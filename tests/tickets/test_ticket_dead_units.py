"""Dead units: hand-worked cases, exactness, and that nothing live is removed."""

from __future__ import annotations

from itertools import pairwise

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsegnn.tickets.dead_units import LiveUnits, live_units


def run(
    adjacency: torch.Tensor,
    x: torch.Tensor,
    weights: list[torch.Tensor],
    biases: list[torch.Tensor | None],
) -> torch.Tensor:
    h = x
    for index, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        h = adjacency @ (h @ weight.t())
        h = h if bias is None else h + bias
        h = h.relu() if index < len(weights) - 1 else h
    return h


def compacted(
    live: LiveUnits, weights: list[torch.Tensor], biases: list[torch.Tensor | None]
) -> tuple[list[torch.Tensor], list[torch.Tensor | None]]:
    count = len(weights)
    return (
        [live.compact(index, weights[index]) for index in range(count)],
        [live.compact_bias(index, biases[index]) for index in range(count)],
    )


def kept(live: LiveUnits) -> list[list[int]]:
    return [indices.tolist() for indices in live.kept]


def test_hidden_unit_without_inputs_or_outputs_goes() -> None:
    first = torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    second = torch.tensor([[1.0, 1.0, 0.0]])
    live = live_units([first, second], [None, None])
    assert kept(live) == [[0], [0], [0]]
    assert live.removed == (1, 2, 0)


def test_positive_bias_keeps_a_unit_that_nothing_reaches() -> None:
    first = torch.tensor([[1.0], [0.0], [0.0]])
    second = torch.tensor([[1.0, 1.0, 1.0]])
    live = live_units([first, second], [torch.tensor([0.0, 0.5, -0.5]), None])
    assert kept(live) == [[0], [0, 1], [0]]


def test_removal_runs_through_the_layers() -> None:
    chain = [
        torch.eye(3),
        torch.diag(torch.tensor([1.0, 0.0, 1.0])),
        torch.tensor([[1.0, 1.0, 0.0]]),
    ]
    live = live_units(chain, [None, None, None])
    assert kept(live) == [[0], [0], [0], [0]]


def test_unused_input_goes_and_takes_its_readers_along() -> None:
    first = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    live = live_units([first, torch.ones(2, 2)], [None, None], torch.tensor([True, False]))
    assert kept(live) == [[0], [1], [0, 1]]


def test_outputs_always_stay() -> None:
    live = live_units([torch.zeros(2, 3), torch.zeros(4, 2)], [None, None])
    assert kept(live) == [[], [], [0, 1, 2, 3]]


def test_one_layer() -> None:
    live = live_units([torch.tensor([[0.0, 2.0], [0.0, 0.0]])], [None])
    assert kept(live) == [[1], [0, 1]]


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    widths=st.lists(st.integers(1, 7), min_size=2, max_size=5),
    density=st.sampled_from([0.0, 0.1, 0.3, 0.6, 1.0]),
    bias=st.booleans(),
)
def test_compacted_network_is_exact(
    seed: int, widths: list[int], density: float, bias: bool
) -> None:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        """Small whole numbers: sums are exact, so equality is bitwise."""
        return torch.randint(-3, 4, shape, generator=generator).double()

    def sparse(*shape: int) -> torch.Tensor:
        keep = torch.rand(shape, generator=generator) < density
        return torch.where(keep, draw(*shape), 0.0)

    adjacency, x = draw(6, 6), sparse(6, widths[0])
    weights = [sparse(after, before) for before, after in pairwise(widths)]
    biases = [draw(after) if bias else None for after in widths[1:]]
    live = live_units(weights, biases, (x != 0).any(dim=0))
    smaller = run(adjacency, x[:, live.kept[0]], *compacted(live, weights, biases))
    assert torch.equal(smaller, run(adjacency, x, weights, biases))


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**31), density=st.sampled_from([0.2, 0.5]))
def test_every_kept_unit_lies_on_a_path(seed: int, density: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    weights = [
        (torch.rand(shape, generator=generator) < density).double()
        for shape in [(8, 6), (8, 8), (3, 8)]
    ]
    live = live_units(weights, [None] * 3)
    again = live_units(compacted(live, weights, [None] * 3)[0], [None] * 3)
    assert again.removed == (0, 0, 0, 0)
    forward = torch.ones(6, 1, dtype=torch.float64)
    for layer in range(2):
        forward = weights[layer] @ forward
        assert bool((forward[live.kept[layer + 1]] > 0).all())
