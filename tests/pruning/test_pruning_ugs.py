import dataclasses

import pytest
import torch
from small_task import Normed, quick_config, small_model, small_task
from torch import nn

from sparsegnn.graph import Graph
from sparsegnn.pruning import UGS, keep_count, random_ticket
from sparsegnn.pruning.kept import Kept
from sparsegnn.pruning.stage import MaskStage
from sparsegnn.pruning.subject import Subject
from sparsegnn.pruning.targets import mask_targets
from sparsegnn.sparse_matrix import SparseMatrix
from sparsegnn.training import Split

KEYS = ("convs.0.lin.weight", "convs.1.lin.weight")


def run(task=None, model_fn=None, seed=0, **settings):
    config = quick_config(**settings)
    return list(UGS(config).rounds(model_fn or small_model(), task or small_task(), seed))


def masks_of(ticket, task):
    weights = {key: mask.to_bool() for key, mask in ticket.weight_masks.items()}
    return ticket.edge_mask_for(task.graph).to_bool(), weights


def assert_same(first, second):
    assert first.sha256() == second.sha256()


@pytest.mark.parametrize("pairs", ["undirected", "directed"])
def test_counts_are_exact_and_masks_are_nested(pairs):
    task = small_task()
    rounds = run(task, pairs=pairs, graph_rate=0.15)
    pair_id, num_pairs = task.graph.pairs()
    total = num_pairs if pairs == "undirected" else task.graph.num_edges
    before_edges, before_weights = masks_of(rounds[0][1], task)
    assert before_edges.all()
    assert all(mask.all() for mask in before_weights.values())
    for index, (result, ticket) in enumerate(rounds):
        edges, weights = masks_of(ticket, task)
        kept = pair_id[edges].unique().numel() if pairs == "undirected" else int(edges.sum())
        assert kept == keep_count(total, 0.15, index)
        entries = sum(mask.numel() for mask in weights.values())
        left = sum(int(mask.sum()) for mask in weights.values())
        assert left == keep_count(entries, 0.2, index)
        assert result.weight_sparsity == 1 - left / entries
        assert result.graph_sparsity == pytest.approx(1 - int(edges.sum()) / task.graph.num_edges)
        assert not (edges & ~before_edges).any()
        assert all(not (weights[key] & ~before_weights[key]).any() for key in KEYS)
        before_edges, before_weights = edges, weights


def test_pairs_go_together_and_stored_self_loops_stay():
    task = small_task(self_loops=7)
    kept = run(task, graph_rate=0.4)[-1][1].edge_mask_for(task.graph).to_bool()
    source, target = task.graph.edge_index
    assert kept[source == target].all()
    arcs = set(zip(source[kept].tolist(), target[kept].tolist(), strict=True))
    assert len(arcs) < task.graph.num_edges
    assert all((b, a) in arcs for a, b in arcs)


def test_every_round_rewinds_to_the_same_start():
    rounds = run()
    start = rounds[0][1].init_state
    assert start.keys() == set(KEYS)
    for _, ticket in rounds:
        assert all(torch.equal(ticket.init_state[key], start[key]) for key in KEYS)
        for key, mask in ticket.weight_masks.items():
            assert (ticket.state[key][~mask.to_bool()] == 0).all()


def test_a_ticket_reports_the_accuracy_it_has():
    task = small_task()
    for result, ticket in run(task, train_epochs=30):
        model = ticket.apply(small_model()()).eval()
        predicted = model(task.x, ticket.prune(task.graph)).argmax(dim=1)
        correct = (predicted == task.y)[task.test_mask].float().mean()
        assert float(correct) == pytest.approx(result.test_accuracy)
        assert result.seconds > 0


def test_learns_the_planted_classes():
    result, _ = run(rounds=1, train_epochs=60, mask_epochs=20)[-1]
    assert result.val_accuracy > 0.7


def test_same_seed_gives_the_same_tickets_and_another_seed_others():
    torch.manual_seed(123)
    first = run()
    torch.rand(7)
    for (_, one), (_, two) in zip(first, run(), strict=True):
        assert_same(one, two)
    assert first[-1][1].sha256() != run(seed=1)[-1][1].sha256()


def test_leaves_the_callers_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run(rounds=1)
    assert torch.equal(torch.rand(3), expected)


def test_rounds_do_not_depend_on_how_many_are_asked_for():
    _, short = run(rounds=1)[1]
    _, long = run(rounds=2)[1]
    assert_same(dataclasses.replace(short, config=long.config), long)


def test_predicted_targets_are_the_dense_models_and_read_training_labels_only():
    task = small_task()
    _, dense = run(task, rounds=1)[0]
    hidden = task.with_(y=torch.where(task.train_mask, task.y, 0))
    subject = Subject.prepare(small_model(), hidden, quick_config(), 0)
    targets = mask_targets(subject, dense)
    model = dense.apply(small_model()()).eval()
    expected = model(task.x, task.graph).argmax(dim=1)
    expected[task.train_mask] = task.y[task.train_mask]
    assert torch.equal(targets.rows, torch.arange(60))
    assert torch.equal(targets.labels, expected)
    published = Subject.prepare(small_model(), task, quick_config(mask_targets="train"), 0)
    assert torch.equal(mask_targets(published, dense).rows, task.train_mask.nonzero().squeeze(1))


def test_search_returns_the_last_ticket():
    ticket = UGS(quick_config(rounds=2)).search(small_model(), small_task(), seed=4)
    assert ticket.round == 2
    assert ticket.seed == 4
    assert ticket.method == "ugs"


@pytest.mark.parametrize("lr", [0.05, 1.0])
def test_a_thousand_mask_epochs_at_a_high_rate_stay_finite(lr):
    events = []
    config = quick_config(rounds=1, mask_epochs=1000, lr=lr, train_epochs=2)
    subject = Subject.prepare(small_model(), small_task(), config, 0)
    stage = MaskStage(subject, Kept.everything(subject), Split.of(subject.data, "train"))
    for _ in range(config.mask_epochs):
        events.append(stage.step())
    assert torch.isfinite(torch.tensor(events)).all()
    assert torch.isfinite(stage.predict()).all()
    stage.snapshot()
    edges, weights = stage.best_scores
    assert all(torch.isfinite(score).all() for score in (edges, *weights))
    assert all((score >= 0).all() for score in (stage._edge_scores, *stage._weight_scores))
    assert any((score == 0).any() for score in (stage._edge_scores, *stage._weight_scores))


def test_events_cover_every_epoch_in_order():
    events = []
    config = quick_config(rounds=1, mask_epochs=2, train_epochs=3)
    list(UGS(config).rounds(small_model(), small_task(), on_epoch=events.append))
    seen = [(event.round, event.stage, event.epoch, event.epochs) for event in events]
    dense = [(0, "train", epoch, 3) for epoch in (1, 2, 3)]
    mask = [(1, "mask", epoch, 2) for epoch in (1, 2)]
    assert seen == dense + mask + [(1, "train", epoch, 3) for epoch in (1, 2, 3)]
    assert events[3].graph_sparsity == 0.0
    assert events[-1].weight_sparsity == pytest.approx(0.2, abs=0.01)


def test_a_rate_of_zero_leaves_its_operand_whole():
    graph_only, weights_only = run(weight_rate=0.0)[-1][0], run(graph_rate=0.0)[-1][0]
    assert graph_only.weight_sparsity == 0.0 < graph_only.graph_sparsity
    assert weights_only.graph_sparsity == 0.0 < weights_only.weight_sparsity


def test_a_graph_without_edges_prunes_weights():
    task = small_task()
    empty = Graph.from_edge_index(torch.zeros(2, 0, dtype=torch.int64), num_nodes=60)
    result, ticket = run(task.with_(graph=empty))[-1]
    assert ticket.edge_mask.numel == 0
    assert result.graph_sparsity == 0.0 < result.weight_sparsity


def test_models_with_biases_and_buffers_keep_them():
    rounds = run(model_fn=Normed)
    for _, ticket in rounds:
        assert set(ticket.weight_masks) == {f"gcn.{key}" for key in KEYS}
        assert not torch.equal(
            ticket.state["gcn.convs.1.bias"], ticket.init_state["gcn.convs.1.bias"]
        )
        assert ticket.state["norm.num_batches_tracked"] >= 1
        assert ticket.init_state["norm.num_batches_tracked"] == 0


def test_dense_features_are_accepted():
    task = small_task()
    dense = task.with_(x=task.x.to_dense())
    sparse, plain = run(task)[-1][0], run(dense)[-1][0]
    assert plain.graph_sparsity == sparse.graph_sparsity
    assert 0 <= plain.test_accuracy <= 1


def test_random_ticket_has_the_same_counts_per_layer_and_the_same_start():
    task = small_task(self_loops=5)
    result, ticket = random_ticket(small_model(), task, quick_config(), seed=3, round=2)
    searched, ugs = run(task, seed=3)[2]
    edges, weights = masks_of(ticket, task)
    assert result.graph_sparsity == searched.graph_sparsity
    for key in KEYS:
        assert int(weights[key].sum()) == keep_count(weights[key].numel(), 0.2, 2)
        assert torch.equal(ticket.init_state[key], ugs.init_state[key])
    source, target = task.graph.edge_index
    assert edges[source == target].all()
    arcs = set(zip(source[edges].tolist(), target[edges].tolist(), strict=True))
    assert all((b, a) in arcs for a, b in arcs)
    _, again = random_ticket(small_model(), task, quick_config(), seed=3, round=2)
    assert_same(ticket, again)
    assert ticket.method == "random"


def test_bad_input_is_one_sentence():
    task, model, ugs = small_task(), small_model(), UGS(quick_config())
    bad = SparseMatrix(task.x.pattern, task.x.values.clone().fill_(float("nan")))
    with pytest.raises(ValueError, match="x must be finite, got NaN or infinity"):
        ugs.rounds(model, task.with_(x=bad))
    with pytest.raises(TypeError, match=r"model_fn must return a torch.nn.Module, got NoneType"):
        ugs.rounds(lambda: None, task)
    with pytest.raises(ValueError, match="maskable must match a parameter name"):
        ugs.rounds(lambda: nn.Linear(3, 3), task)
    with pytest.raises(ValueError, match="out must be a folder when resume is set, got None"):
        ugs.rounds(model, task, resume=True)
    empty = torch.zeros(60, dtype=torch.bool)
    with pytest.raises(ValueError, match="val_mask must select at least one node, got none"):
        list(ugs.rounds(model, task.with_(val_mask=empty)))
