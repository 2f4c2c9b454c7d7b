import numpy as np
import pytest
import torch

from bench.inputs import EdgeList, NodeTask, power_law
from bench.peers import aggregate, selection, weights
from bench.peers.dense_ugs import DenseUgs, MaskTraining
from bench.peers.edge_ugs import EdgeUgs
from bench.peers.gcn import (
    CompositeGcn,
    GcnWeights,
    PygGcn,
    inference,
    normalised_adjacency,
    training_step,
)


def test_power_law_has_the_size_asked_for_and_no_duplicates() -> None:
    graph = power_law(200, 1500, seed=1)
    assert graph.edge_index.shape == (2, 1500)
    assert torch.unique(graph.edge_index, dim=1).shape[1] == 1500
    assert "power-law" in graph.name
    target = graph.edge_index[1]
    assert bool((target[1:] >= target[:-1]).all())


def test_aggregations_agree(edges: EdgeList) -> None:
    x = torch.randn(edges.num_nodes, 5, generator=torch.Generator().manual_seed(0))
    exact = torch.from_numpy(edges.scipy(np.float64) @ x.double().numpy())
    for run in (
        aggregate.torch_csr(edges, x, torch.int32),
        aggregate.torch_csr(edges, x, torch.int64),
        aggregate.scipy_csr(edges, x),
        aggregate.pyg_gather_scatter(edges, x),
        aggregate.pyg_gather_scatter(edges.shuffled(), x),
    ):
        torch.testing.assert_close(run().double(), exact, rtol=1e-5, atol=1e-5)


def test_gradients_of_aggregations_agree(edges: EdgeList) -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(edges.num_nodes, 4, generator=generator)
    upstream = torch.randn(edges.num_nodes, 4, generator=generator)
    layer = aggregate.pyg_layer()
    pyg = aggregate.with_gradients(
        lambda a, w: layer(a, edges.edge_index, w), x, edges.weight, upstream
    )
    composite = aggregate.torch_composite(edges, torch.int32)
    expert = aggregate.with_gradients(composite, x, edges.weight, upstream)
    for left, right in zip(pyg(), expert(), strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-5)


def test_edge_dots_agree(edges: EdgeList) -> None:
    generator = torch.Generator().manual_seed(2)
    a, b = torch.randn(2, edges.num_nodes, 6, generator=generator)
    left = aggregate.sampled_addmm(edges, a, b, torch.int64)()
    torch.testing.assert_close(left, aggregate.gather_dot(edges, a, b)(), rtol=1e-4, atol=1e-5)


def test_sparse_products_agree() -> None:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(9, 12, generator=generator)
    weight = torch.randn(5, 12, generator=generator) * (
        torch.rand(5, 12, generator=generator) > 0.7
    )
    for build in (weights.csr_left, weights.csr_right, weights.csr_linear):
        torch.testing.assert_close(build(x, weight)(), x @ weight.t())


@pytest.mark.parametrize("k", [1, 7, 50])
def test_selections_agree(k: int) -> None:
    scores = torch.randperm(50, generator=torch.Generator().manual_seed(4)).float()
    expected = scores >= 50 - k
    for build in (selection.topk, selection.kthvalue, selection.partition, selection.sort):
        assert torch.equal(build(scores, k)(), expected)


def test_normalised_adjacency_by_hand() -> None:
    path = torch.tensor([[0, 1, 1], [1, 0, 1]])
    matrix = torch.from_numpy(normalised_adjacency(path, 3).toarray())
    expected = torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    torch.testing.assert_close(matrix, expected)


def test_gcn_peers_agree(task: NodeTask) -> None:
    weights_ = GcnWeights.random(task, hidden=16)
    eager = inference(PygGcn(weights_), task.dense_x(), task.edge_index)()
    for index in (torch.int32, torch.int64):
        composite = CompositeGcn(task, task.edge_index, weights_, index)
        torch.testing.assert_close(inference(composite)(), eager, rtol=1e-5, atol=1e-6)


def test_gcn_training_steps_agree_without_dropout(task: NodeTask) -> None:
    weights_ = GcnWeights.random(task, hidden=16)
    eager, composite = PygGcn(weights_), CompositeGcn(task, task.edge_index, weights_, torch.int32)
    eager.dropout = composite.dropout = 0.0
    step = training_step(eager, task, task.dense_x(), task.edge_index)
    other = training_step(composite, task)
    losses = [(float(step()), float(other())) for _ in range(5)]
    for left, right in losses:
        assert left == pytest.approx(right, rel=1e-4)
    assert losses[-1][0] < losses[0][0]


def test_dense_masks_agree_with_edge_masks(task: NodeTask) -> None:
    """Logits and all mask gradients, with direction-dependent soft masks, in float64."""
    weights_ = GcnWeights.random(task, hidden=16)
    settings = MaskTraining(dropout=0.0)
    dense = DenseUgs(task, weights_, settings, torch.float64)
    edge = EdgeUgs(task, weights_, settings, torch.float64)
    source, target = task.edge_index
    generator = torch.Generator().manual_seed(5)
    soft = 0.5 + torch.rand(source.numel(), generator=generator, dtype=torch.float64)
    with torch.no_grad():
        edge.graph_mask.copy_(soft)
        dense.graph_mask.zero_()
        dense.graph_mask[source, target] = soft
        for left, right in zip(edge.weight_masks, dense.weight_masks, strict=True):
            left.copy_(right)
    torch.testing.assert_close(edge.forward(False), dense.forward(False), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(edge.backward(), dense.backward(), rtol=1e-10, atol=1e-12)
    assert dense.graph_mask.grad is not None
    dense_grad = dense.graph_mask.grad[source, target]
    torch.testing.assert_close(edge.graph_mask.grad, dense_grad, rtol=1e-8, atol=1e-12)
    for left, right in zip(edge.weight_masks, dense.weight_masks, strict=True):
        torch.testing.assert_close(left.grad, right.grad, rtol=1e-8, atol=1e-12)


def test_dense_epoch_prunes_the_shares_asked_for(task: NodeTask) -> None:
    stage = DenseUgs(task, GcnWeights.random(task, hidden=16), dtype=torch.float64)
    first = stage.epoch()
    for _ in range(4):
        last = stage.epoch()
    assert stage.snapshot is not None
    graph, weight_masks = stage.snapshot
    edges = task.edge_index.shape[1]
    kept = sum(int(mask.sum()) for mask in weight_masks)
    total = sum(mask.numel() for mask in weight_masks)
    assert int(graph.sum()) == edges - int(0.05 * edges) - 1
    assert kept == total - int(0.20 * total) - 1
    assert torch.isfinite(last) and torch.isfinite(first)
