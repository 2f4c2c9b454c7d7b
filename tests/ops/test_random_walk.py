import pytest
import torch

import sparsegnn as sg
from sparsegnn.ops import TemporalEdges
from sparsegnn.testing import ADVERSARIAL, adversarial_graph, check_walk, random_graph

TIMES = {
    "none": None,
    "integer": torch.int64,
    "int32": torch.int32,
    "float32": torch.float32,
    "float64": torch.float64,
}


def draw_times(edges: int, dtype: torch.dtype) -> torch.Tensor:
    generator = torch.Generator().manual_seed(6)
    times = torch.randint(-4, 5, (edges,), generator=generator)
    return (times * 0.25).to(dtype) if dtype.is_floating_point else times.to(dtype)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("kind", TIMES)
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_walks_follow_allowed_edges(name: str, kind: str, strict: bool) -> None:
    edges = adversarial_graph(name)
    nodes = max(edges.num_src, edges.num_dst)
    g = sg.Graph.from_edge_index(edges.edge_index, nodes)
    dtype = TIMES[kind]
    times = None if dtype is None else draw_times(g.num_edges, dtype)
    start = torch.arange(min(nodes, 12)).repeat(2)
    late = None if times is None else torch.full(start.shape, 0, dtype=times.dtype)
    for start_time in (None, late):
        walks, taken = sg.ops.random_walk(
            g,
            start,
            4,
            seed=3,
            edge_time=times,
            start_time=start_time,
            strict=strict,
            return_edges=True,
        )
        assert walks.shape == (start.numel(), 5) and taken.shape == (start.numel(), 4)
        assert torch.equal(walks[:, 0], start)
        for w in range(start.numel()):
            clock = None if start_time is None else 0.0
            check_walk(edges.edge_index, walks[w], taken[w], times, clock, strict=strict)


def test_the_same_walks_for_every_number_of_threads_and_index_type(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    edges = random_graph(400, 400, 3000, 1)
    times = torch.rand(3000)
    start = torch.arange(400).repeat(20)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            g = edges.graph()
            results.append(sg.ops.random_walk(g, start, 10, seed=-1, edge_time=times))
            results.append(sg.ops.random_walk(g, start, 10, seed=-1))
    finally:
        torch.set_num_threads(before)
    monkeypatch.setattr("sparsegnn.graph._INT32_LIMIT", 10)
    g = edges.graph()
    assert g.rowptr.dtype == torch.int64
    results.append(sg.ops.random_walk(TemporalEdges.sort(g, times), start, 10, seed=-1))
    results.append(sg.ops.random_walk(g, start, 10, seed=-1))
    for i in (0, 1):
        assert all(torch.equal(results[i], other) for other in results[i::2])
    other = sg.ops.random_walk(g, start, 10, seed=0)
    assert not torch.equal(results[1], other)


def chi_square(counts: torch.Tensor) -> float:
    expected = counts.double().mean()
    return float(((counts.double() - expected) ** 2 / expected).sum())


def test_every_allowed_edge_is_equally_likely() -> None:
    """Chi-square at a fixed seed: the 0.999 quantile of 9 degrees of freedom is 27.9."""
    source = torch.cat([torch.zeros(10), torch.arange(1, 11)]).long()
    target = torch.cat([torch.arange(1, 11), torch.zeros(10)]).long()
    g = sg.Graph.from_edge_index(torch.stack([source, target]), 11)
    walks = sg.ops.random_walk(g, torch.zeros(50_000, dtype=torch.int64), 7, seed=12)
    for step in (1, 3, 5, 7):
        assert chi_square(torch.bincount(walks[:, step], minlength=11)[1:]) < 27.9
    pairs = torch.bincount(walks[:, 1] * 11 + walks[:, 3], minlength=121).view(11, 11)[1:, 1:]
    assert chi_square(pairs.reshape(-1)) < 149.4  # 0.999 of 99 degrees of freedom
    times = torch.arange(20)
    late = torch.full((50_000,), 5)
    start = torch.zeros(50_000, dtype=torch.int64)
    first = sg.ops.random_walk(g, start, 1, seed=1, edge_time=times, start_time=late)[:, 1]
    counts = torch.bincount(first, minlength=11)
    assert not counts[:6].any()
    assert chi_square(counts[6:]) < 18.5  # 0.999 of 4 degrees of freedom


def test_bad_input() -> None:
    g = adversarial_graph("path").graph()
    start, times = torch.tensor([0, 1]), torch.arange(g.num_edges)
    run = sg.ops.random_walk
    with pytest.raises(ValueError, match=r"start must lie in \[0, 40\), got 40 at position 1"):
        run(g, torch.tensor([0, 40]), 2, seed=0)
    with pytest.raises(ValueError, match="g must have the same nodes as sources and targets"):
        run(adversarial_graph("wide").graph(), start, 2, seed=0)
    with pytest.raises(ValueError, match="start must have dtype Long, got Int"):
        run(g, start.int(), 2, seed=0)
    with pytest.raises(ValueError, match="start must have shape"):
        run(g, start.view(1, 2), 2, seed=0)
    with pytest.raises(ValueError, match="length must not be negative, got -1"):
        run(g, start, -1, seed=0)
    with pytest.raises(TypeError, match="length must be an int, got float"):
        run(g, start, 2.0, seed=0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="seed must be an int, got NoneType"):
        run(g, start, 2, seed=None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"edge_time must have shape \[39\], got \[38\]"):
        run(g, start, 2, seed=0, edge_time=times[1:])
    with pytest.raises(ValueError, match="edge_time must not hold NaN, got 1 of them"):
        run(g, start, 2, seed=0, edge_time=torch.tensor([float("nan"), *range(38)]))
    with pytest.raises(ValueError, match="start_time must be integer as edge_time is"):
        run(g, start, 2, seed=0, edge_time=times, start_time=torch.rand(2))
    with pytest.raises(ValueError, match="start_time must come with edge_time"):
        run(g, start, 2, seed=0, start_time=start)
    with pytest.raises(ValueError, match="start_time must have shape"):
        run(g, start, 2, seed=0, edge_time=times, start_time=times)
    with pytest.raises(ValueError, match="edge_time must not be given beside TemporalEdges"):
        run(TemporalEdges.sort(g, times), start, 2, seed=0, edge_time=times)


@pytest.mark.slow
def test_opcheck() -> None:
    g = adversarial_graph("random").graph()
    csr = (g.csr.t_rowptr, g.csr.t_col, g.csr.t_edge_id)
    start = torch.arange(20)
    for edges in (False, True):
        arguments = (*csr, None, None, start, None, 3, 5, False, edges)
        torch.library.opcheck(torch.ops.sparsegnn.random_walk.default, arguments)
