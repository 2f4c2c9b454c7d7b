import pytest
import torch

import sparsegnn as sg
from sparsegnn.testing import ADVERSARIAL, adversarial_graph, assert_close, reference_spmm

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
WIDTHS = [0, 1, 2, 3, 7, 16, 31, 33, 64, 127, 128, 257]


def values_for(edges: int, dtype: torch.dtype) -> torch.Tensor:
    return torch.rand(edges, dtype=torch.float64 if dtype == torch.float64 else torch.float32)


@pytest.mark.parametrize("name", ADVERSARIAL)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_value_mode_on_adversarial_graphs(isa: int, name: str, dtype: torch.dtype) -> None:
    edges = adversarial_graph(name)
    g, e = edges.graph(), edges.edge_index.shape[1]
    x = torch.randn(edges.num_src, 33).to(dtype)
    w, soft, keep = values_for(e, dtype), values_for(e, dtype), torch.rand(e) > 0.4
    rows, cols = values_for(edges.num_dst, dtype), values_for(edges.num_src, dtype)
    bias = values_for(33, dtype) - 0.5
    for arguments in (
        {},
        {"edge_weight": w},
        {"edge_mask": soft},
        {"edge_mask": keep},
        {"edge_weight": w, "edge_mask": keep},
        {"edge_weight": w, "edge_mask": soft, "row_scale": rows, "col_scale": cols},
        {"edge_weight": w, "bias": bias, "relu": True},
        {"col_scale": cols, "edge_mask": keep, "bias": bias},
    ):
        for mean in (False, True):
            actual = sg.ops.spmm(g, x, **arguments, reduce="mean" if mean else "sum")
            expected = reference_spmm(edges.edge_index, edges.num_dst, x, **arguments, mean=mean)
            assert actual.dtype == dtype
            assert_close(actual, expected)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_width(isa: int, width: int, dtype: torch.dtype) -> None:
    edges = adversarial_graph("random")
    g = edges.graph()
    w = values_for(g.num_edges, dtype)
    x = torch.randn(edges.num_src, width).to(dtype)
    expected = reference_spmm(edges.edge_index, edges.num_dst, x, w)
    assert_close(sg.ops.spmm(g, x, w), expected)
    stored = g.in_storage_order()
    assert_close(sg.ops.spmm(stored, x, w[g.canonical_order()]), expected)
    assert_close(sg.ops.spmm(g, x), reference_spmm(edges.edge_index, edges.num_dst, x))


@pytest.mark.parametrize("width", [1, 16, 33, 300])
def test_wide_features_are_computed_in_slices(isa: int, width: int) -> None:
    """Enough rows and reuse that the columns are cut into slices for the cache."""
    edges = sg.testing.random_graph(300, 1500, 9000, 7)
    g, x = edges.graph(), torch.randn(1500, width)
    dense = torch.zeros(300, 1500, dtype=torch.float64)
    dense.index_put_((edges.edge_index[1], edges.edge_index[0]), torch.ones(9000).double(), True)
    assert_close(sg.ops.spmm(g, x), dense @ x.double())


@pytest.mark.parametrize("width", [16, 24, 70, 257])
@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_same_bits_for_every_thread_count(threads: int, width: int) -> None:
    g = sg.testing.power_law_graph(2000, 40000)
    x, w, keep = torch.randn(2000, width), torch.rand(40000), torch.rand(40000) > 0.5
    for arguments in ((w,), (w, keep), (None, w)):
        torch.set_num_threads(1)
        expected = sg.ops.spmm(g, x, *arguments)
        torch.set_num_threads(threads)
        for _ in range(3):
            assert torch.equal(sg.ops.spmm(g, x, *arguments), expected)


@pytest.mark.parametrize("width", [5, 16, 40, 64, 200, 1100])
def test_rows_that_span_many_blocks_of_edges(isa: int, width: int) -> None:
    """Hubs of thousands of edges between short rows; dropped edges, their counts, their NaN."""
    target = torch.cat([torch.full((3000,), 1), torch.arange(6), torch.full((700,), 4)])
    edges = torch.stack([torch.arange(target.numel()) % 97, target])[:, torch.randperm(3706)]
    g, keep = sg.Graph.from_edge_index(edges, num_src=97, num_dst=8), edges[0] % 3 > 0
    x, w = torch.randn(97, width), torch.rand(3706)
    x[::3] = float("nan")
    exact = torch.zeros(8, 97, dtype=torch.float64)
    exact.index_put_((edges[1][keep], edges[0][keep]), w[keep].double(), True)
    expected = exact @ x.nan_to_num().double()
    assert_close(sg.ops.spmm(g, x, w, keep), expected)
    degree = torch.bincount(edges[1][keep], minlength=8).clamp(min=1).unsqueeze(1)
    assert_close(sg.ops.spmm(g, x, w, keep, reduce="mean"), expected / degree)
    clean = x.nan_to_num()
    exact.index_put_((edges[1][~keep], edges[0][~keep]), w[~keep].double(), True)
    assert_close(sg.ops.spmm(g, clean, w), exact @ clean.double())


def test_a_dropped_edge_never_leaks(isa: int) -> None:
    g = sg.Graph.from_edge_index(torch.tensor([[0, 1, 2], [0, 0, 1]]), 3)
    x = torch.tensor([[1.0], [float("nan")], [float("inf")]]).expand(3, 20).contiguous()
    keep = torch.tensor([True, False, False])
    expected = torch.tensor([1.0, 0.0, 0.0]).unsqueeze(1).expand(3, 20)
    assert torch.equal(sg.ops.spmm(g, x, edge_mask=keep), expected)
    assert torch.equal(sg.ops.spmm(g, x, torch.ones(3), keep, reduce="mean"), expected)


def test_nan_and_infinity_of_kept_edges_come_through(isa: int) -> None:
    g = sg.Graph.from_edge_index(torch.tensor([[0, 1], [0, 1]]), 2)
    x = torch.tensor([[float("nan")] * 20, [float("inf")] * 20])
    y = sg.ops.spmm(g, x, relu=True)
    assert y[0].isnan().all()
    assert y[1].isinf().all()


def test_strided_sliced_and_expanded_features(isa: int) -> None:
    edges = adversarial_graph("random")
    g = edges.graph()
    wide = torch.randn(edges.num_src, 90)
    for x in (
        wide[:, 5:38],
        wide[:, ::2],
        torch.randn(33, edges.num_src).t(),
        torch.randn(1, 33).expand(edges.num_src, 33),
        torch.randn(edges.num_src, 1).expand(edges.num_src, 33),
    ):
        assert_close(sg.ops.spmm(g, x), reference_spmm(edges.edge_index, edges.num_dst, x))


def test_transpose_aggregates_over_targets() -> None:
    edges = adversarial_graph("wide")
    g = edges.graph()
    x, w = torch.randn(edges.num_dst, 9), torch.rand(g.num_edges)
    expected = reference_spmm(edges.edge_index.flip(0), edges.num_src, x, w)
    assert_close(sg.ops.spmm(g, x, w, transpose=True), expected)
    assert_close(sg.ops.spmm(g.transpose(), x, w), expected)


def test_64_bit_indices_by_a_lowered_limit(isa: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparsegnn.graph._INT32_LIMIT", 10)
    edges = adversarial_graph("random")
    g = edges.graph()
    assert g.rowptr.dtype == torch.int64
    x, w = torch.randn(edges.num_src, 33), torch.rand(g.num_edges)
    keep = torch.rand(g.num_edges) > 0.5
    expected = reference_spmm(edges.edge_index, edges.num_dst, x, w, keep)
    assert_close(sg.ops.spmm(g, x, w, keep), expected)


def test_mask_object_equals_bool_mask() -> None:
    g = adversarial_graph("random").graph()
    x, keep = torch.randn(g.num_src, 8), torch.rand(g.num_edges) > 0.5
    packed = sg.ops.spmm(g, x, edge_mask=sg.Mask.from_bool(keep))
    assert torch.equal(packed, sg.ops.spmm(g, x, edge_mask=keep))


def test_half_precision_accumulates_in_float32(isa: int) -> None:
    """4096 ones: a float16 accumulator would stop at 2048."""
    source = torch.zeros(4096, dtype=torch.int64)
    g = sg.Graph.from_edge_index(torch.stack([source, source]), 1)
    for dtype in (torch.float16, torch.bfloat16):
        assert sg.ops.spmm(g, torch.ones(1, 17, dtype=dtype)).eq(4096).all()


@pytest.mark.parametrize("reduce", ["sum", "mean"])
def test_infinite_scale_of_a_row_without_kept_edges_is_zero(isa: int, reduce: str) -> None:
    g = sg.Graph.from_edge_index(torch.tensor([[0, 1], [0, 1]]), 3)
    keep, scale = torch.tensor([True, False]), torch.tensor([1.0, torch.inf, torch.inf])
    y = sg.ops.spmm(g, torch.ones(3, 20), edge_mask=keep, row_scale=scale, reduce=reduce)  # type: ignore[arg-type]
    assert torch.equal(y, torch.tensor([[1.0], [0.0], [0.0]]).expand(3, 20))


@pytest.mark.slow
@pytest.mark.parametrize("nodes,width", [(60_000, 130), (120_000, 96)])
def test_features_larger_than_the_last_level_cache(nodes: int, width: int) -> None:
    """The result lies in huge pages and, when its rows are whole lines, goes past the caches."""
    g = sg.testing.power_law_graph(nodes, 5 * nodes)
    x, w = torch.randn(nodes, width), torch.rand(5 * nodes)
    y = sg.ops.spmm(g, x, w)
    for first in range(0, width, 24):
        part = x[:, first : first + 24].contiguous()
        assert_close(y[:, first : first + 24], sg.ops.spmm(g, part, w))
