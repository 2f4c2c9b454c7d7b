import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsegnn.graph import Graph
from sparsegnn.pruning.edges import EdgeGroups

# 0-1 and 1-2 in both directions, 2->0 in one, a self loop at 1.
EDGES = torch.tensor([[0, 1, 1, 1, 2, 2], [1, 0, 1, 2, 1, 0]])
GRAPH = Graph.from_edge_index(EDGES, num_nodes=3)


def test_undirected_pairs_share_a_slot_and_the_loop_has_none():
    groups = EdgeGroups.of(GRAPH, "undirected")
    slot = groups.slot.tolist()
    assert groups.count == 3
    assert slot[0] == slot[1]
    assert slot[3] == slot[4]
    assert slot[2] == groups.count
    assert sorted({slot[0], slot[3], slot[5]}) == [0, 1, 2]


def test_directed_edges_have_their_own_slot():
    groups = EdgeGroups.of(GRAPH, "directed")
    assert groups.count == 5
    assert groups.slot.tolist() == [0, 1, 5, 2, 3, 4]
    assert EdgeGroups.every_edge(GRAPH).slot.tolist() == [0, 1, 2, 3, 4, 5]


def test_spread_gives_loops_one_and_sums_gradients_of_a_pair():
    groups = EdgeGroups.of(GRAPH, "undirected")
    values = torch.tensor([0.5, 0.25, 2.0], requires_grad=True)
    weights = groups.spread(values)
    assert weights[2] == 1.0
    weights.backward(torch.tensor([1.0, 10.0, 100.0, 1.0, 10.0, 7.0]))
    expected = torch.zeros(3)
    for edge, gradient in ((0, 11.0), (3, 11.0), (5, 7.0)):
        expected[groups.slot[edge]] = gradient
    assert torch.equal(values.grad, expected)


def test_narrowed_groups_are_those_of_the_narrowed_graph():
    groups = EdgeGroups.of(GRAPH, "undirected")
    keep = torch.ones(3, dtype=torch.bool)
    keep[groups.slot[0]] = False
    assert groups.keep_edges(keep).tolist() == [False, False, True, True, True, True]
    narrowed = groups.narrow(keep)
    left = GRAPH.select(groups.keep_edges(keep))
    fresh = EdgeGroups.of(left, "undirected")
    assert narrowed.count == fresh.count == 2
    assert torch.equal(narrowed.slot, fresh.slot)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=30, unique=True),
    st.randoms(use_true_random=False),
)
def test_pairs_stay_or_go_together_and_loops_stay(arcs, random):
    edges = torch.tensor(arcs, dtype=torch.int64).reshape(-1, 2).t()
    graph = Graph.from_edge_index(edges, num_nodes=7)
    groups = EdgeGroups.of(graph, "undirected")
    keep = torch.tensor([random.random() < 0.5 for _ in range(groups.count)], dtype=torch.bool)
    kept = {arc for arc, stays in zip(arcs, groups.keep_edges(keep).tolist(), strict=True) if stays}
    for source, target in arcs:
        if source == target:
            assert (source, target) in kept
        elif (target, source) in arcs:
            assert ((source, target) in kept) == ((target, source) in kept)
