import pytest
import torch

import sparsegnn as sg
from sparsegnn.ops import TemporalEdges, WeightedEdges
from sparsegnn.testing import (
    ADVERSARIAL,
    adversarial_graph,
    random_graph,
    reference_weighted_walk,
)

LARGEST = torch.finfo(torch.float64).max


def star(edges: int) -> sg.Graph:
    """Edges from node 0 to the nodes 1, 2, ... in that order."""
    target = torch.arange(1, edges + 1)
    return sg.Graph.from_edge_index(torch.stack([torch.zeros_like(target), target]), edges + 1)


def first_steps(
    weight: torch.Tensor, walks: int = 50_000, seed: int = 5, late: int | None = None
) -> torch.Tensor:
    """How many of the walks out of node 0 take each edge of a star; from time `late` on."""
    start = torch.zeros(walks, dtype=torch.int64)
    times = None if late is None else torch.arange(weight.numel())
    begin = None if late is None else torch.full((walks,), late)
    taken = sg.ops.random_walk(
        star(weight.numel()),
        start,
        1,
        seed=seed,
        edge_time=times,
        start_time=begin,
        weight=weight,
        return_edges=True,
    )[1]
    return torch.bincount(taken[:, 0] + 1, minlength=weight.numel() + 1)


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_walks_of_the_reference(name: str, timed: bool) -> None:
    edges = adversarial_graph(name)
    nodes = max(edges.num_src, edges.num_dst)
    g = sg.Graph.from_edge_index(edges.edge_index, nodes)
    generator = torch.Generator().manual_seed(8)
    weight = torch.rand(g.num_edges, generator=generator)
    weight[torch.rand(g.num_edges, generator=generator) < 0.3] = 0.0
    times = torch.randint(0, 5, (g.num_edges,), generator=generator) if timed else None
    start = torch.arange(min(nodes, 8))
    walks, taken = sg.ops.random_walk(
        g, start, 4, seed=-3, edge_time=times, weight=weight, strict=timed, return_edges=True
    )
    for w in range(start.numel()):
        expected = reference_weighted_walk(
            edges.edge_index, weight, w, w, 4, -3, times, strict=timed
        )
        assert (walks[w].tolist(), taken[w].tolist()) == expected


@pytest.mark.parametrize("late", [None, 4])
def test_edges_are_taken_in_proportion_to_their_weight(late: int | None) -> None:
    """Chi-square at a fixed seed against the 0.999 quantiles of 8 and 4 degrees of freedom."""
    weight = torch.tensor([3.0, 0.0, 1.0, 7.0, 0.5, 2.0, 10.0, 1.5, 4.0, 6.0])
    counts = first_steps(weight, late=late)
    if late is not None:
        weight = weight * (torch.arange(10) >= late)
    assert counts[0] == 0
    assert not counts[1:][weight == 0].any()
    expected = (50_000 * weight / weight.sum())[weight > 0].double()
    distance = ((counts[1:][weight > 0] - expected) ** 2 / expected).sum()
    assert distance < (26.1 if late is None else 20.5)


def test_later_steps_are_drawn_afresh() -> None:
    """Chi-square of (edge of step 1, edge of step 3): 0.999 quantile of 15 degrees of freedom."""
    out, back = torch.zeros(4, dtype=torch.int64), torch.arange(1, 5)
    ends = torch.stack([torch.cat([out, back]), torch.cat([back, out])])
    weight = torch.tensor([1.0, 2.0, 3.0, 4.0, 1.0, 1.0, 1.0, 1.0])
    g = sg.Graph.from_edge_index(ends, 5)
    walks = sg.ops.random_walk(g, torch.zeros(50_000).long(), 3, seed=2, weight=weight)
    pairs = torch.bincount(walks[:, 1] * 5 + walks[:, 3], minlength=25).view(5, 5)[1:, 1:]
    expected = 500.0 * weight[:4, None] * weight[:4]
    assert ((pairs - expected) ** 2 / expected).sum() < 37.7


def test_a_walk_ends_where_all_weights_are_zero() -> None:
    assert first_steps(torch.zeros(3), walks=10).tolist() == [10, 0, 0, 0]
    assert first_steps(torch.tensor([1.0, 0.0, 0.0]), walks=10, late=1).tolist() == [10, 0, 0, 0]
    tiny = torch.tensor([0.0, 5e-324, 0.0], dtype=torch.float64)
    assert first_steps(tiny, walks=10).tolist() == [0, 0, 10, 0]


def test_late_edges_keep_their_share_beside_heavy_early_ones() -> None:
    counts = first_steps(torch.tensor([1e30, 1.0, 3.0]), walks=40_000, late=1)
    assert counts[:2].tolist() == [0, 0]
    assert abs(counts[2] / 40_000 - 0.25) < 0.01


def test_the_same_walks_for_every_number_of_threads_and_index_type(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    edges = random_graph(400, 400, 40_000, 1)
    weight, times = torch.rand(40_000, dtype=torch.float64), torch.rand(40_000)
    start = torch.arange(400).repeat(20)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            g = edges.graph()
            results.append(sg.ops.random_walk(g, start, 9, seed=1, weight=weight))
            results.append(sg.ops.random_walk(g, start, 9, seed=1, edge_time=times, weight=weight))
    finally:
        torch.set_num_threads(before)
    monkeypatch.setattr("sparsegnn.graph._INT32_LIMIT", 10)
    g = edges.graph()
    assert g.rowptr.dtype == torch.int64
    results.append(sg.ops.random_walk(WeightedEdges.sum(g, weight), start, 9, seed=1))
    results.append(sg.ops.random_walk(TemporalEdges.sort(g, times, weight), start, 9, seed=1))
    for i in (0, 1):
        assert all(torch.equal(results[i], other) for other in results[i::2])
    assert not torch.equal(results[0], sg.ops.random_walk(g, start, 9, seed=1))


def test_bad_weights() -> None:
    g = star(3)
    start, times = torch.zeros(2, dtype=torch.int64), torch.arange(3)

    def run(*weight: float) -> None:
        sg.ops.random_walk(g, start, 2, seed=0, weight=torch.tensor(weight, dtype=torch.float64))

    with pytest.raises(ValueError, match=r"finite and not negative, got -1\.0+ at edge 1"):
        run(1.0, -1.0, 1.0)
    with pytest.raises(ValueError, match="finite and not negative, got nan at edge 2"):
        run(1.0, 0.0, float("nan"))
    with pytest.raises(ValueError, match="finite and not negative, got inf at edge 0"):
        run(float("inf"), 1.0, 1.0)
    with pytest.raises(ValueError, match="weight must have a finite sum over the edges out of"):
        run(LARGEST, LARGEST, 1.0)
    with pytest.raises(ValueError, match=r"weight must have shape \[3\], got \[2\]"):
        run(1.0, 1.0)
    with pytest.raises(TypeError, match="weight must be float32, float64, float16 or bfloat16"):
        sg.ops.random_walk(g, start, 2, seed=0, weight=times)
    weight = torch.ones(3)
    for edges in (WeightedEdges.sum(g, weight), TemporalEdges.sort(g, times, weight)):
        with pytest.raises(ValueError, match="weight must not be given beside"):
            sg.ops.random_walk(edges, start, 2, seed=0, weight=weight)
    with pytest.raises(ValueError, match="edge_time must not be given beside WeightedEdges"):
        sg.ops.random_walk(WeightedEdges.sum(g, weight), start, 2, seed=0, edge_time=times)
    with pytest.raises(ValueError, match="start_time must come with edge_time"):
        sg.ops.random_walk(g, start, 2, seed=0, weight=weight, start_time=start)


def test_one_compiled_graph() -> None:
    g, start = random_graph(20, 20, 90, 3).graph(), torch.arange(20)

    def walk(weight: torch.Tensor) -> torch.Tensor:
        nodes = sg.ops.random_walk(g, start, 3, seed=4, weight=weight)
        assert isinstance(nodes, torch.Tensor)
        return nodes

    weight = torch.rand(g.num_edges)
    compiled = torch.compile(walk, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(weight), walk(weight))


@pytest.mark.slow
def test_opcheck() -> None:
    g = adversarial_graph("random").graph()
    csr = (g.csr.t_rowptr, g.csr.t_col, g.csr.t_edge_id)
    weight = torch.rand(g.num_edges, dtype=torch.float64)
    torch.library.opcheck(torch.ops.sparsegnn.walk_weights.default, (*csr, weight))
    sums = torch.ops.sparsegnn.walk_weights(*csr, weight)
    arguments = (*csr, None, sums, torch.arange(20), None, 3, 5, False, True)
    torch.library.opcheck(torch.ops.sparsegnn.random_walk.default, arguments)
