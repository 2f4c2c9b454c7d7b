import pytest
import torch
from dense_reference import dense_forward
from small_task import CLASSES, quick_config, small_model, small_task
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

from sparsegnn.nn import GCN
from sparsegnn.pruning import UGS
from sparsegnn.pruning.reference import (
    ReferenceForward,
    initial_mask,
    reference_norm,
    threshold_select,
)
from sparsegnn.sparse_matrix import SparseMatrix

RELATIVE = 1e-6


def assert_close(actual, expected):
    scale = expected.abs().max()
    assert scale > 0
    assert (actual - expected).abs().max() <= RELATIVE * scale


@pytest.mark.parametrize("self_loops", [0, 5])
def test_logits_and_mask_gradients_match_the_dense_arithmetic(self_loops):
    task = small_task(self_loops=self_loops)
    graph, nodes = task.graph, task.graph.num_nodes
    source, target = graph.edge_index
    generator = torch.Generator().manual_seed(1)
    draw = lambda *shape: torch.rand(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    edge_mask = (0.5 + draw(graph.num_edges)).requires_grad_()
    model = small_model(dropout=0.0)().double()
    names = [name for name, _ in model.named_parameters()]
    weight_masks = [(0.5 + draw(*p.shape)).requires_grad_() for p in model.parameters()]
    x = task.x.to_dense().double()

    weights = {
        name: parameter * mask
        for (name, parameter), mask in zip(model.named_parameters(), weight_masks, strict=True)
    }
    features = SparseMatrix.from_dense(x)
    logits = functional_call(ReferenceForward(model), weights, (features, graph, edge_mask))
    loss = F.cross_entropy(logits[task.train_mask], task.y[task.train_mask])
    gradients = torch.autograd.grad(loss, [edge_mask, *weight_masks])

    adjacency = torch.zeros(nodes, nodes, dtype=torch.float64)
    adjacency[source, target] = 1.0
    dense_mask = torch.zeros_like(adjacency)
    dense_mask[source, target] = edge_mask.detach()
    dense_mask.requires_grad_()
    dense_weights = [model.get_parameter(name).detach().t() for name in names]
    dense_masks = [mask.detach().t().clone().requires_grad_() for mask in weight_masks]
    dense_logits = dense_forward(adjacency, dense_mask, x, dense_weights, dense_masks)
    dense_loss = F.cross_entropy(dense_logits[task.train_mask], task.y[task.train_mask])
    expected = torch.autograd.grad(dense_loss, [dense_mask, *dense_masks])

    assert (edge_mask[0] - edge_mask[1]).abs() > 0
    assert_close(logits, dense_logits)
    assert_close(gradients[0], expected[0][source, target])
    for actual, dense in zip(gradients[1:], expected[1:], strict=True):
        assert_close(actual, dense.t())


def test_a_dense_model_agrees_with_the_ordinary_gcn():
    task = small_task()
    model = small_model(dropout=0.0)().double()
    x = SparseMatrix.from_dense(task.x.to_dense().double())
    assert_close(ReferenceForward(model)(x, task.graph), model(x, task.graph))


def test_zero_row_sums_scale_to_zero():
    task = small_task()
    like = torch.zeros((), dtype=torch.float64)
    source = task.graph.edge_index[0]
    weight = torch.zeros(task.graph.num_edges, dtype=torch.float64)
    first = (source == source[0]).nonzero()[0]
    weight[first] = -1.0
    edges, loops = reference_norm(task.graph, weight, like)
    assert loops[source[0]] == 0.0
    assert torch.isfinite(edges).all()


def test_threshold_removes_its_own_element_and_every_tie():
    (kept,) = threshold_select([torch.tensor([4.0, 1.0, 2.0, 3.0])], 0.5)
    assert kept.tolist() == [True, False, False, False]
    first, second = threshold_select([torch.tensor([1.0, 1.0, 5.0]), torch.tensor([1.0, 0.0])], 0.1)
    assert first.tolist() == [False, False, True]
    assert second.tolist() == [False, False]


def test_initial_mask_stays_within_the_noise():
    mask = initial_mask(1000, torch.zeros((), dtype=torch.float64))
    assert mask.dtype == torch.float64
    assert 0 < (mask - 1).abs().max() <= 1e-5


def test_search_prunes_directed_entries_and_more_than_nominal():
    task = small_task(self_loops=6)
    config = quick_config(reference=True, graph_rate=0.2, rounds=2)
    *_, (result, ticket) = UGS(config).rounds(small_model(), task)
    assert result.graph_sparsity > 1 - 0.8**2
    assert result.weight_sparsity > 1 - 0.8**2
    source, target = task.graph.edge_index
    kept = ticket.edge_mask_for(task.graph).to_bool()
    arcs = set(zip(source[kept].tolist(), target[kept].tolist(), strict=True))
    assert any((b, a) not in arcs for a, b in arcs if a != b)


def test_negative_masks_are_allowed_and_the_best_epoch_survives_nan():
    config = quick_config(reference=True, rounds=1, mask_epochs=60, lr=0.05, graph_rate=0.3)
    losses = []
    events = lambda event: losses.append(event.loss) if event.stage == "mask" else None  # noqa: E731
    *_, (result, ticket) = UGS(config).rounds(small_model(), small_task(), on_epoch=events)
    assert any(loss != loss for loss in losses)
    assert all(torch.isfinite(value).all() for value in ticket.state.values())
    assert result.best_epoch >= 1


def test_other_models_are_refused():
    config = quick_config(reference=True)
    with pytest.raises(TypeError, match="bias=False"):
        UGS(config).rounds(lambda: GCN(12, 4, 2, CLASSES), small_task())
    with pytest.raises(TypeError, match="must return a GCN with reference=True, got ModuleDict"):
        model = nn.ModuleDict({"a": nn.ModuleDict({"lin": nn.Linear(2, 2)})})
        UGS(config).rounds(lambda: model, small_task())
