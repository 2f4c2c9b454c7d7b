"""Networks: simplification, removal of dead channels and planning keep their results."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from interpret import random_network, run

from sparsegnn.compiler.candidates import dense_input_candidates
from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.fold import simplified
from sparsegnn.compiler.graph_ops import Aggregate, Attend, SoftmaxMean
from sparsegnn.compiler.liveness import compacted, liveness, padded
from sparsegnn.compiler.network import INPUT, Network
from sparsegnn.compiler.planner import Forms, Planner, run_steps
from sparsegnn.compiler.row_ops import Activation, Add, Bias, Concat, HeadMean, Linear, Scale
from sparsegnn.compiler.sizes import Sizes
from sparsegnn.compiler.units import form_units

NETWORKS = {
    "seed": st.integers(0, 2**31),
    "length": st.integers(1, 12),
    "sparsity": st.sampled_from([0.0, 0.5, 0.8, 0.95, 1.0]),
}


def features(seed: int, width: int, zeros: float = 0.5) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    x = torch.rand(9, width, generator=g, dtype=torch.float64) - 0.5
    return x * (torch.rand(width, generator=g) >= zeros)


def close(actual: torch.Tensor, expected: torch.Tensor) -> bool:
    scale = max(1.0, float(expected.abs().max())) if expected.numel() else 1.0
    return bool(((actual - expected).abs() <= 1e-12 * scale).all())


@settings(max_examples=120, deadline=None)
@given(**NETWORKS)
def test_removal_changes_nothing(seed: int, length: int, sparsity: float) -> None:
    network, x = random_network(seed, 9, 6, length, sparsity), features(seed, 6)
    expected = run(network, x)
    used = (x != 0).any(0)
    simple = simplified(network, used)
    assert close(run(simple, x), expected)
    kept = liveness(simple, used).kept
    small = compacted(simple, kept)
    assert close(run(small, x[:, kept[INPUT]]), expected)


@settings(max_examples=80, deadline=None)
@given(**NETWORKS)
def test_units_compute_the_network(seed: int, length: int, sparsity: float) -> None:
    network, x = random_network(seed, 9, 6, length, sparsity), features(seed, 6, 0.0)
    expected = run(network, x)
    simple = simplified(network)
    kept = padded(simple, liveness(simple).kept)
    small = compacted(simple, kept)
    planner = Planner(Forms(None, x[:, kept[INPUT]].contiguous()), Sizes(9), tune=False)
    values = {INPUT: x[:, kept[INPUT]].contiguous()}
    for choice in planner.plan(form_units(small)):
        values[choice.output] = run_steps(choice.chosen, [values[i] for i in choice.reads])
    assert close(values[small.output], expected)
    torch.testing.assert_close(values[INPUT], x[:, kept[INPUT]], rtol=0, atol=0)


@settings(max_examples=30, deadline=None)
@given(**NETWORKS)
def test_every_candidate_computes_the_same(seed: int, length: int, sparsity: float) -> None:
    small = simplified(random_network(seed, 9, 6, length, sparsity))
    values = {INPUT: features(seed, 6, 0.0)}
    for unit in form_units(small):
        results = [
            run_steps(candidate, [values[i] for i in unit.reads])
            for candidate in dense_input_candidates(unit, Sizes(9))
        ]
        for result in results[1:]:
            assert close(result, results[0])
        values[unit.output] = results[0]


def chain(*operations: object) -> Network:
    network = Network(3)
    for operation in operations:
        network.output = network.add(operation)  # type: ignore[arg-type]
    return network


def test_unit_without_readers_or_sources_goes() -> None:
    first = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    second = torch.tensor([[1.0, 1.0, 0.0]])
    network = chain(
        Linear((0,), weight=first), Activation((1,), name="relu"), Linear((2,), weight=second)
    )
    kept = liveness(network).kept
    assert [kept[value].tolist() for value in range(4)] == [[0], [0], [0], [0]]


def test_constant_units_become_a_bias() -> None:
    first = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    network = chain(
        Linear((0,), weight=first),
        Bias((1,), bias=torch.tensor([0.0, 0.5, -0.5])),
        Activation((2,), name="relu"),
        Linear((3,), weight=torch.tensor([[1.0, 4.0, 8.0]])),
    )
    simple = simplified(network)
    assert [type(op).__name__ for op in simple.operations.values()][-1] == "Bias"
    last = list(simple.operations.values())[-1]
    assert isinstance(last, Bias) and last.bias.tolist() == [2.0]
    assert liveness(simple).kept[3].tolist() == [0]


def test_constant_before_an_aggregation_stays() -> None:
    matrix = CsrMatrix.from_dense(torch.ones(4, 4))
    network = chain(
        Linear((0,), weight=torch.zeros(2, 3)),
        Bias((1,), bias=torch.tensor([0.5, -0.5])),
        Activation((2,), name="relu"),
        Aggregate((3,), matrix=matrix),
        Linear((4,), weight=torch.ones(1, 2)),
    )
    simple = simplified(network)
    assert liveness(simple).kept[4].tolist() == [0]
    assert torch.equal(run(simple, torch.ones(4, 3)), torch.full((4, 1), 2.0))


def test_a_scale_sinks_through_bias_and_aggregation_into_the_weight() -> None:
    matrix = CsrMatrix.from_dense(torch.ones(4, 4))
    network = chain(
        Linear((0,), weight=torch.ones(2, 3)),
        Aggregate((1,), matrix=matrix),
        Bias((2,), bias=torch.ones(2)),
        Scale((3,), scale=torch.tensor([2.0, 3.0])),
        Bias((4,), bias=torch.ones(2)),
    )
    simple = simplified(network)
    kinds = [type(op).__name__ for op in simple.operations.values()]
    assert kinds == ["Linear", "Aggregate", "Bias"]
    assert close(run(simple, torch.ones(4, 3)), run(network, torch.ones(4, 3)))


def test_a_scale_does_not_sink_into_what_others_read() -> None:
    network = chain(
        Linear((0,), weight=torch.ones(2, 3)), Scale((1,), scale=torch.ones(2) * 2), Add((1, 2))
    )
    assert close(run(simplified(network), torch.ones(4, 3)), torch.full((4, 2), 9.0))


def test_a_dead_head_goes_whole_and_a_live_one_stays_whole() -> None:
    matrix = CsrMatrix.from_dense(torch.ones(4, 4))
    att = torch.ones(2, 2)
    network = Network(4)
    attended = network.add(
        Attend((0,), matrix=matrix, att_dst=att, att_src=att, negative_slope=0.2)
    )
    network.output = network.add(Linear((attended,), weight=torch.tensor([[0.0, 0.0, 1.0, 0.0]])))
    live = liveness(network)
    assert live.kept[0].tolist() == [2, 3]
    small = compacted(network, live.kept)
    first = small.operations[attended]
    assert isinstance(first, Attend) and first.heads == 1


def test_residual_networks_share_their_channels() -> None:
    network = Network(3)
    hidden = network.add(Linear((0,), weight=torch.eye(3)))
    inner = network.add(Linear((hidden,), weight=torch.diag(torch.tensor([1.0, 0.0, 0.0]))))
    total = network.add(Add((hidden, inner)))
    network.output = network.add(Linear((total,), weight=torch.tensor([[0.0, 1.0, 0.0]])))
    kept = liveness(network).kept
    assert kept[hidden].tolist() == kept[total].tolist() == kept[inner].tolist() == [1]


def test_padding_is_for_channels_between_linear_maps() -> None:
    network = chain(
        Linear((0,), weight=torch.ones(17, 3)),
        Activation((1,), name="sigmoid"),
        Linear((2,), weight=torch.ones(17, 17)),
    )
    kept = padded(network, liveness(network).kept)
    assert [len(kept[value]) for value in range(4)] == [3, 32, 32, 17]
    x = torch.ones(4, 3)
    assert close(run(compacted(network, kept), x), run(network, x))


@pytest.mark.parametrize("residual_first", [False, True])
def test_a_pair_takes_the_residual_rather_than_a_linear_map(residual_first: bool) -> None:
    matrix = CsrMatrix.from_dense(torch.ones(4, 4))
    network = Network(3)
    own = network.add(Linear((0,), weight=torch.ones(2, 3)))
    gathered = network.add(Aggregate((0,), matrix=matrix))
    other = network.add(Linear((gathered,), weight=torch.ones(2, 3)))
    network.output = network.add(Add((own, other) if residual_first else (other, own)))
    units = form_units(network)
    assert [unit.residual for unit in units] == [None, own]
    assert units[1].aggregate is not None and units[1].linear is not None


def test_widths_behind_concatenations_and_means_of_heads_are_those_that_are_kept() -> None:
    matrix = CsrMatrix.from_dense(torch.ones(4, 4, dtype=torch.float64))
    network = Network(6)
    mean = network.add(HeadMean((0,), heads=2))
    both = network.add(Concat((mean, mean), sizes=(3, 3)))
    t = torch.rand(6, dtype=torch.float64)
    gathered = network.add(SoftmaxMean((both,), matrix=matrix, t=t, eps=0.1))
    weight = torch.tensor([[0.0, 1.0, 1.0, 1.0, 0.0, 1.0]], dtype=torch.float64)
    network.output = network.add(Linear((gathered,), weight=weight))
    x = torch.rand(4, 6, dtype=torch.float64)
    kept = liveness(network).kept
    small = compacted(network, kept)
    assert {value: len(kept[value]) for value in small.operations} == {
        value: width for value, width in small.widths().items() if value != INPUT
    }
    planner = Planner(Forms(None, x), Sizes(4), tune=False)
    values = {INPUT: x}
    for choice in planner.plan(form_units(small)):
        values[choice.output] = run_steps(choice.chosen, [values[i] for i in choice.reads])
    assert close(values[small.output], run(network, x))


def test_a_mean_of_heads_gathers_only_where_channels_go() -> None:
    mean = HeadMean((0,), heads=2)
    assert mean.compact([torch.arange(6)], torch.arange(3)).index is None
    some = mean.compact([torch.arange(6)], torch.tensor([0, 2])).index
    assert some is not None and some.tolist() == [0, 2]
