import copy

import pytest
import torch

import sparsegnn as sg
from bench.cases import agreement, run_case
from bench.end_to_end import gcn, mask_epoch, search
from bench.end_to_end.exact_gcn import exact_logits
from bench.end_to_end.setting import Setting
from bench.harness import Plan
from bench.inputs import NodeTask
from bench.peers.gcn import GcnWeights, PygGcn, inference
from sparsegnn.data import NodeDataset
from sparsegnn.pruning import RoundResult, UGSConfig

ONE = Plan(rounds=1, warmup=1, min_sample_s=0.0, settle_s=0.0, min_rounds=1)


@pytest.fixture
def setting(task: NodeTask) -> Setting:
    """The tiny task with the settings of Cora and short stages."""
    data = NodeDataset(
        name="tiny",
        graph=sg.Graph.from_edge_index(task.edge_index, num_nodes=task.num_nodes),
        x=sg.SparseMatrix.from_scipy(task.x),
        y=task.y,
        train_mask=task.train_mask,
        val_mask=task.val_mask,
        test_mask=task.test_mask,
        num_classes=task.num_classes,
    )
    config = UGSConfig.for_dataset("cora", mask_epochs=3, train_epochs=3, rounds=4)
    return Setting(data, task, config)


def test_exact_logits_are_those_of_pyg(task: NodeTask) -> None:
    weights = GcnWeights.random(task, hidden=16)
    expected = inference(PygGcn(weights), task.dense_x(), task.edge_index)()
    actual = exact_logits(task, task.edge_index, weights)
    assert actual.dtype == torch.float64
    torch.testing.assert_close(actual.float(), expected, rtol=1e-5, atol=1e-6)


def test_every_forward_pass_is_checked(setting: Setting) -> None:
    ticket = gcn.short_search(setting, epochs=3)
    case = gcn.forward(setting, ticket, "ugs")
    assert set(agreement(case)) == set(case.alternatives)
    assert case.params["weight_sparsity"] == pytest.approx(1 - 0.8**4, abs=1e-3)
    pruned = gcn.Pruned.of(setting, ticket)
    assert pruned.edge_index.shape[1] == ticket.edge_mask.count < setting.task.edge_index.shape[1]


def test_training_steps_and_mask_epochs_run(setting: Setting) -> None:
    ticket = gcn.random_of_same_size(setting)
    assert len(run_case(gcn.training(setting, ticket), ONE).ratios) == 5
    epoch = run_case(mask_epoch.case(setting), ONE)
    assert epoch.threads == 1
    assert {ratio.peer for ratio in epoch.ratios} >= {"dense N x N", "edge list in plain torch"}


def test_a_search_with_exact_counts_has_no_error(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "ROUNDS", 3)
    values = search.full_search(setting).values
    assert values["rounds"] == 3
    assert values["not_finite"] == 0 and values["count_error"] == 0
    assert values["seconds"] > 0 and "test_accuracy_round_3" in values


def test_wrong_counts_and_nan_are_found(setting: Setting) -> None:
    ticket = gcn.random_of_same_size(setting)
    result = RoundResult(4, 0.0, 0.0, 0.5, 0.5, 1, 0.0, 0.0)
    assert search._count_error(result, ticket) == 0
    later = RoundResult(5, 0.0, 0.0, 0.5, 0.5, 1, 0.0, 0.0)
    assert search._count_error(later, ticket) > 0
    broken = copy.deepcopy(ticket)
    broken.state["convs.0.lin.weight"][0, 0] = float("nan")
    assert search._not_finite(result, ticket) == 0
    assert search._not_finite(result, broken) == 1


def test_nominal_counts_of_cora_by_hand() -> None:
    assert search._nominal(5278, 0.95, 4) == 4299
    assert search._nominal(737_280, 0.80, 4) == 301_990


def test_accuracies_are_compared_over_seeds(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FakeUGS:
        def __init__(self, config: UGSConfig) -> None:
            assert config.rounds == 4

        def rounds(self, model: object, data: object, seed: int) -> list[tuple[RoundResult, None]]:
            dense, ticket = (0.80, 0.82, 0.84)[seed], (0.81, 0.80, 0.82)[seed]
            return [(_result(0, dense), None), (_result(4, ticket), None)]

    def fake_random(*arguments: object) -> tuple[RoundResult, None]:
        return _result(4, 0.75), None

    monkeypatch.setattr(search, "UGS", FakeUGS)
    monkeypatch.setattr(search, "random_ticket", fake_random)
    values = search.accuracy(setting, seeds=3).values
    assert values["dense_mean"] == pytest.approx(82.0) and values["dense_sd"] == pytest.approx(2.0)
    assert values["below_dense_sd"] == pytest.approx(0.5)
    assert values["above_random"] == pytest.approx(6.0)
    assert values["ticket_seed_1"] == pytest.approx(80.0)


def _result(number: int, accuracy: float) -> RoundResult:
    return RoundResult(number, 0.0, 0.0, accuracy, accuracy, 1, 0.0, 0.0)
