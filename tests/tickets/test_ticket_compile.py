"""Compiled tickets: equality with the masked model, refusals, fallback and reports."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_ticket import Setup, make, masked_logits

from sparsegnn import Graph, Mask, SparseMatrix
from sparsegnn.compiler import CompiledModel, pipeline, planner, shipping
from sparsegnn.compiler.candidates import (
    can_fuse,
    dense_input_candidates,
    fused_candidate,
    sparse_input_candidates,
)
from sparsegnn.compiler.features import FeatureInput
from sparsegnn.compiler.sizes import Sizes
from sparsegnn.nn import GCN
from sparsegnn.tickets import TicketError
from sparsegnn.tickets.compile import read_problem


def compiled(setup: Setup, *, tune: bool = False) -> CompiledModel:
    return setup.ticket.compile(setup.model, (setup.x, setup.graph), tune=tune)


def close(actual: torch.Tensor, expected: torch.Tensor, tolerance: float) -> bool:
    scale = float(expected.abs().max()) if expected.numel() else 0.0
    return bool(((actual.double() - expected).abs() <= tolerance * scale).all())


SPARSITIES = st.sampled_from([0.0, 0.3, 0.8, 0.95, 1.0])


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    nodes=st.integers(1, 25),
    edges=st.integers(0, 60),
    hidden=st.sampled_from([1, 3, 16, 17, 40]),
    layers=st.integers(1, 3),
    classes=st.sampled_from([1, 2, 7, 33]),
    edge_sparsity=SPARSITIES,
    weight_sparsity=SPARSITIES,
    feature_density=st.sampled_from([0.0, 0.03, 0.2, 0.9]),
    bias=st.booleans(),
)
def test_program_equals_the_masked_model(
    seed: int,
    nodes: int,
    edges: int,
    hidden: int,
    layers: int,
    classes: int,
    edge_sparsity: float,
    weight_sparsity: float,
    feature_density: float,
    bias: bool,
) -> None:
    setup = make(
        seed=seed,
        nodes=nodes,
        edges=edges,
        hidden=hidden,
        layers=layers,
        classes=classes,
        edge_sparsity=edge_sparsity,
        weight_sparsity=weight_sparsity,
        feature_density=feature_density,
        bias=bias,
    )
    fast = compiled(setup)
    assert fast.report().plan == "compiled", fast.report().reason
    expected = masked_logits(setup)
    assert close(fast(), expected, 1e-12)
    assert close(fast(setup.x.to_dense()), expected, 1e-12)


@pytest.mark.parametrize("edge_sparsity", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("weight_sparsity", [0.0, 0.5, 0.99, 1.0])
def test_tuned_program_equals_the_masked_model(
    edge_sparsity: float, weight_sparsity: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner, "_ROUNDS", 3)
    monkeypatch.setattr(shipping, "_ROUNDS", 3)
    setup = make(
        nodes=150,
        edges=600,
        features=200,
        hidden=70,
        classes=7,
        feature_density=0.1,
        edge_sparsity=edge_sparsity,
        weight_sparsity=weight_sparsity,
        dtype=torch.float32,
    )
    fast = compiled(setup, tune=True)
    expected = masked_logits(setup)
    assert close(fast(), expected, 1e-5)
    report = fast.report()
    assert report.relative_error <= 1e-5
    assert report.compiled_ms is not None and report.masked_ms is not None
    assert report.dense_ms is not None
    limit = min(report.masked_ms.median_ms, report.dense_ms.median_ms)
    assert (report.plan == "compiled") == (report.compiled_ms.median_ms <= limit)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("hidden", [9, 40, 200])
def test_fused_and_separate_layers_compute_the_same(
    hidden: int, bias: bool, planned_by_macs: None
) -> None:
    setup = make(hidden=hidden, bias=bias, classes=7)
    problem = read_problem(setup.ticket, setup.model, (setup.x, setup.graph))
    expected = masked_logits(setup)
    plan = pipeline.make_plan(problem, tune=False)
    first, second = (choice.units[0] for choice in plan.choices[:2])
    sparse = plan.program.sparse_input or plan.program.dense_input
    assert sparse is not None
    form = FeatureInput(sparse.kept, sparse.kept, (20, 12), True, torch.float64)(setup.x)
    sizes = Sizes(20, form)
    assert can_fuse(first, second)
    fused = fused_candidate(first, second, sizes)
    assert close(planner.run_steps(fused, [form]), expected, 1e-12)
    for candidate in sparse_input_candidates(first, sizes):
        hidden_units = planner.run_steps(candidate, [form])
        for following in dense_input_candidates(second, sizes):
            assert close(planner.run_steps(following, [hidden_units]), expected, 1e-12)


def test_features_with_one_value_per_row_lose_their_values(planned_by_macs: None) -> None:
    setup = make(feature_density=0.4)
    pattern = (setup.x.to_dense() != 0).double()
    setup.x = SparseMatrix.from_dense(pattern / pattern.sum(1, keepdim=True).clamp(min=1))
    problem = read_problem(setup.ticket, setup.model, (setup.x, setup.graph))
    matrix = pipeline.make_plan(problem, tune=False).program.sparse_features
    assert matrix is not None and matrix.values()[0] is None
    assert close(compiled(setup)(), masked_logits(setup), 1e-12)


def test_isolated_nodes_and_no_edges() -> None:
    setup = make(nodes=5, edges=0)
    assert close(compiled(setup)(), masked_logits(setup), 1e-12)


def test_pruned_nothing_is_the_dense_model() -> None:
    setup = make(edge_sparsity=0.0, weight_sparsity=0.0)
    assert close(compiled(setup)(), setup.model(setup.x, setup.graph).detach(), 1e-12)


def test_infinite_weights_behind_the_mask_are_gone() -> None:
    setup = make()
    key = "convs.0.lin.weight"
    keep = setup.ticket.weight_masks[key].to_bool()
    state = dict(setup.ticket.state)
    state[key] = torch.where(keep, state[key], float("inf"))
    poisoned = replace(setup.ticket, state=state)
    fast = poisoned.compile(setup.model, (setup.x, setup.graph), tune=False)
    assert close(fast(), masked_logits(setup), 1e-12)


def test_other_features_over_the_same_graph() -> None:
    setup = make(feature_density=0.9)
    fast = compiled(setup)
    other = Setup(
        setup.ticket,
        setup.model,
        setup.graph,
        SparseMatrix(setup.x.pattern, setup.x.values.square()),
    )
    assert close(fast(other.x), masked_logits(other), 1e-12)
    assert close(fast(other.x.to_dense()), masked_logits(other), 1e-12)
    assert close(fast(setup.x), masked_logits(setup), 1e-12)


def test_features_changed_in_place_are_noticed() -> None:
    setup = make(feature_density=0.9)
    dense = setup.x.to_dense()
    fast = setup.ticket.compile(setup.model, (dense, setup.graph), tune=False)
    dense.mul_(2)
    setup.x = SparseMatrix.from_dense(dense)
    assert close(fast(dense), masked_logits(setup), 1e-12)


def test_features_that_were_zero_cannot_come_back() -> None:
    setup = make(weight_sparsity=0.0)
    dense = setup.x.to_dense()
    dense[:, 4] = 0
    fast = setup.ticket.compile(setup.model, (dense.clone(), setup.graph), tune=False)
    dense[2, 4] = 1
    with pytest.raises(ValueError, match="x uses feature 4, which was zero for every node"):
        fast(dense)


def test_features_without_surviving_weight_may_change() -> None:
    setup = make(feature_density=0.9)
    masks = dict(setup.ticket.weight_masks)
    keep = masks["convs.0.lin.weight"].to_bool()
    keep[:, 4] = False
    masks["convs.0.lin.weight"] = Mask.from_bool(keep)
    setup.ticket = replace(setup.ticket, weight_masks=masks)
    fast = compiled(setup)
    assert fast.report().layers[0].live_units[0] < 12
    dense = setup.x.to_dense()
    dense[:, 4] += 100
    assert close(fast(dense), masked_logits(setup), 1e-12)


def test_fine_tuned_model_gives_its_own_weights() -> None:
    setup = make()
    model = setup.ticket.apply(setup.model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.5)
    expected = model(setup.x, setup.ticket.prune(setup.graph)).detach()
    fast = setup.ticket.compile(model, (setup.x, setup.graph), tune=False)
    assert close(fast(), expected, 1e-12)
    assert "parametrizations" in str(list(dict(model.named_parameters())))
    again = model(setup.x, setup.ticket.prune(setup.graph)).detach()
    assert torch.equal(again, expected)


def test_fresh_model_gets_the_tickets_weights() -> None:
    setup = make()
    fresh = GCN(12, 9, 2, 3).double()
    fast = setup.ticket.compile(fresh, (setup.x, setup.graph), tune=False)
    assert close(fast(), masked_logits(setup), 1e-12)


def test_state_dict_round_trip_and_dtype_move() -> None:
    one, other = make(seed=3), make(seed=3)
    other.ticket = replace(
        other.ticket, state={key: value * 2 for key, value in other.ticket.state.items()}
    )
    first, second = compiled(one), compiled(other)
    assert not torch.equal(first(), second())
    first.load_state_dict(second.state_dict())
    assert torch.equal(first(), second())
    first.to("cpu")
    assert torch.equal(first(), second())


def test_a_copy_runs_on_its_own_buffers() -> None:
    first = compiled(make(seed=3))
    second = copy.deepcopy(first)
    expected = first()
    with torch.no_grad():
        for buffer in second.buffers():
            if buffer.is_floating_point():
                buffer.zero_()
    assert not torch.equal(second(), expected)
    assert torch.equal(first(), expected)


def test_result_is_an_ordinary_tensor() -> None:
    out = compiled(make())()
    assert not out.is_inference() and not out.requires_grad
    out += 1


def test_plan_that_differs_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(pipeline.TOLERANCE, torch.float64, -1.0)
    setup = make()
    fast = compiled(setup)
    assert fast.report().plan == "dense"
    assert "the plan differs by" in fast.report().reason
    assert close(fast(), masked_logits(setup), 1e-12)
    assert close(fast(setup.x.to_dense()), masked_logits(setup), 1e-12)


def test_plan_that_is_slower_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    from sparsegnn.compiler.timing import Timing

    def slow_plan(functions: dict[str, object], **_: object) -> dict[str, Timing]:
        times = {"compiled": 2.0, "dense": 1.5, "masked": 1.0}
        return {name: Timing(times.get(name, 1.0), 1.0, 1.0, 3, 1.0) for name in functions}

    monkeypatch.setattr(shipping, "comparable", slow_plan)
    setup = make()
    fast = compiled(setup, tune=True)
    assert fast.report().plan == "dense"
    assert fast.report().reason == "the plan takes 2.000 ms, the dense model 1.000 ms"
    assert close(fast(), masked_logits(setup), 1e-12)


def test_report_reads_well_and_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "_ROUNDS", 3)
    monkeypatch.setattr(shipping, "_ROUNDS", 3)
    report = compiled(make(), tune=True).report()
    text = str(report)
    assert text.startswith(f"plan: {report.plan} (")
    assert f"edges: {report.edges_kept} of 60 kept" in text
    assert "our dense model on the pruned graph:" in text
    json.dumps(report.to_json(), allow_nan=False)
    untuned = compiled(make()).report()
    assert untuned.compiled_ms is None and "milliseconds: not measured" in str(untuned)


def test_wrong_inputs_have_their_sentence() -> None:
    setup = make()
    ticket, model, graph, x = setup.ticket, setup.model, setup.graph, setup.x
    nan = x.to_dense()
    nan[0, 0] = float("nan")
    foreign = Graph.from_edge_index(graph.edge_index.flip(0), num_nodes=20)
    cases: list[tuple[object, object, type[Exception], str]] = [
        (model, (x, foreign), TicketError, "fingerprint"),
        (model, (nan, graph), ValueError, "x must be finite"),
        (model, (x.to_dense()[:, 1:], graph), ValueError, r"shape \(20, 12\), got \(20, 11\)"),
        (model, (x.to_dense()[1:], graph), ValueError, r"got \(19, 12\)"),
        (
            model,
            (x.to(torch.float32), graph),
            TypeError,
            "float64 like the model, got torch.float32",
        ),
        (model, ("x", graph), TypeError, "tensor or a SparseMatrix, got str"),
        (torch.nn.Linear(2, 2), (x, graph), TypeError, "sparsegnn.nn.GCN, got Linear"),
        (GCN(12, 8, 2, 3).double(), (x, graph), TicketError, "has shape"),
        (GCN(12, 9, 2, 3).half(), (x, graph), TypeError, "float32 or float64"),
        (
            make(seed=9).ticket.apply(GCN(12, 9, 2, 3).double()),
            (x, graph),
            TicketError,
            "other masks",
        ),
    ]
    for given_model, data, error, sentence in cases:
        with pytest.raises(error, match=sentence) as caught:
            ticket.compile(given_model, data, tune=False)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)


def test_weights_that_are_not_finite_are_refused() -> None:
    setup = make(weight_sparsity=0.0)
    state = dict(setup.ticket.state)
    state["convs.1.bias"] = torch.tensor([0.0, float("nan"), 0.0], dtype=torch.float64)
    broken = replace(setup.ticket, state=state)
    with pytest.raises(TicketError, match=r"'convs.1.bias' has NaN"):
        broken.compile(setup.model, (setup.x, setup.graph), tune=False)


def test_wrong_features_at_call_time_have_their_sentence() -> None:
    setup = make()
    fast = compiled(setup)
    with pytest.raises(ValueError, match="x must be finite"):
        fast(torch.full((20, 12), float("nan"), dtype=torch.float64))
    with pytest.raises(ValueError, match="x must have shape"):
        fast(torch.zeros(20, 13, dtype=torch.float64))
    with pytest.raises(TypeError, match="like the model"):
        fast(torch.zeros(20, 12))


def test_logits_of_some_nodes() -> None:
    setup, nodes = make(), torch.tensor([3, 19, 3])
    fast = setup.ticket.compile(setup.model, (setup.x, setup.graph), tune=False, nodes=nodes)
    assert close(fast(), masked_logits(setup)[nodes], 1e-12)
    with pytest.raises(ValueError, match=r"nodes must lie in \[0, 20\), got 20 at position 0"):
        setup.ticket.compile(setup.model, (setup.x, setup.graph), nodes=torch.tensor([20]))


def test_fixed_features_in_another_order() -> None:
    setup = make()
    options = {"reorder": "rcm", "fixed_features": True}
    fast = setup.ticket.compile(setup.model, (setup.x, setup.graph), tune=False, **options)  # type: ignore[arg-type]
    assert close(fast(), masked_logits(setup), 1e-12)
    assert [variant.name for variant in fast.report().variants][1:] == ["order rcm"]
    with pytest.raises(ValueError, match="x must be left out"):
        fast(setup.x.to_dense())
