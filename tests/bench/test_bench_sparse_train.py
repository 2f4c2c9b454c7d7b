import pytest
import torch

import sparsegnn as sg
from bench.cases import run_case
from bench.end_to_end import models, sparse_train
from bench.end_to_end.models import ModelTask
from bench.harness import Plan
from bench.inputs import NodeTask
from bench.suites import jobs
from sparsegnn.training import sparsify

ONE = Plan(rounds=1, warmup=1, min_sample_s=0.0, settle_s=0.0, min_rounds=1)


@pytest.fixture
def problem(task: NodeTask, monkeypatch: pytest.MonkeyPatch) -> ModelTask:
    """The tiny task under the name of Cora, and models of 16 hidden units."""
    tiny = ModelTask(task, sg.SparseMatrix.from_scipy(task.x))
    for module in (models, sparse_train):
        monkeypatch.setattr(module, "load", lambda name: tiny)
    monkeypatch.setattr(models, "HIDDEN", 16)
    return tiny


@pytest.mark.parametrize("kind", sparse_train.KINDS)
def test_the_alternatives_train_the_same_model(problem: ModelTask, kind: str) -> None:
    model = models.build(kind, "cora")
    masks, keep = sparse_train.random_masks(model, problem, 40, 90)
    graph = sg.Graph.from_edge_index(problem.edge_index, num_nodes=problem.task.num_nodes)
    sparse = sparsify(model, graph, edge_mask=keep, weight_masks=masks)
    masked = sparse_train.Masked(model, masks)
    expected = masked(problem.task.dense_x(), problem.edge_index[:, keep])
    torch.testing.assert_close(sparse(problem.x), expected, rtol=1e-4, atol=1e-5)


def test_an_epoch_of_every_alternative_runs(problem: ModelTask) -> None:
    record = run_case(sparse_train.training("GCN", "cora", 40, 90), ONE)
    assert {ratio.peer for ratio in record.ratios} >= {sparse_train.MASKED, sparse_train.DENSE}


def test_the_names_of_the_cases() -> None:
    prefix = "model-sparse-train/"
    assert [name for name in jobs("quick") if name.startswith(prefix)] == [
        f"{prefix}GCN-cora/40-90"
    ]
    assert len([name for name in jobs("default") if name.startswith(prefix)]) == 6
