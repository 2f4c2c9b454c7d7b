from typing import Any

import pytest
import torch
from torch import Tensor

import sparsegnn as sg
from sparsegnn.testing import (
    ADVERSARIAL,
    adversarial_graph,
    assert_close,
    reference_spmm_grad,
)

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]


def acc(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def run(
    g: sg.Graph,
    grad: Tensor,
    x: Tensor,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    row_scale: Tensor | None = None,
    col_scale: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    bits = None
    if mask is not None and mask.dtype == torch.bool:
        mask, bits = None, sg.Mask.from_bool(mask).packed
    values = (weight, mask, bits, row_scale, col_scale)
    return torch.ops.sparsegnn.spmm_grad(*g.csr, grad, x, *values)  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ADVERSARIAL)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_value_mode_on_adversarial_graphs(isa: int, name: str, dtype: torch.dtype) -> None:
    edges = adversarial_graph(name)
    g, kind = edges.graph(), acc(dtype)
    grad = torch.randn(edges.num_dst, 33).to(dtype)
    x = torch.randn(edges.num_src, 33).to(dtype)
    w, soft = torch.rand(2, g.num_edges, dtype=kind)
    keep = torch.rand(g.num_edges) > 0.4
    scales = {
        "row_scale": torch.rand(edges.num_dst, dtype=kind),
        "col_scale": torch.rand(edges.num_src, dtype=kind),
    }
    cases: list[dict[str, Tensor]] = [
        {},
        {"weight": w},
        {"mask": keep},
        {"weight": w, "mask": soft, **scales},
        {"weight": w, "mask": keep, **scales},
    ]
    for values in cases:
        dx, dots = run(g, grad, x, **values)
        expected_dx, expected_dots = reference_spmm_grad(edges.edge_index, grad, x, **values)
        assert (dx.dtype, dots.dtype) == (dtype, kind)
        assert_close(dx, expected_dx)
        # The products are exact in the accumulator: only the sums round.
        assert_close(dots, expected_dots)


@pytest.mark.parametrize("width", [0, 1, 3, 7, 16, 31, 33, 64, 100, 128, 257, 600])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_width(isa: int, width: int, dtype: torch.dtype) -> None:
    edges = adversarial_graph("random")
    grad = torch.randn(edges.num_dst, width).to(dtype)
    x = torch.randn(edges.num_src, width).to(dtype)
    keep = torch.rand(edges.edge_index.shape[1]) > 0.3
    for mask in (None, keep):
        dx, dots = run(edges.graph(), grad, x, mask=mask)
        expected = reference_spmm_grad(edges.edge_index, grad, x, mask=mask)
        assert_close(dx, expected[0])
        assert_close(dots, expected[1])


def test_strided_inputs(isa: int) -> None:
    edges = adversarial_graph("random")
    wide = torch.randn(edges.num_dst, 90)
    x = torch.randn(20, edges.num_src).t()
    for grad in (wide[:, 5:25], wide[:, 10:50:2], torch.randn(1, 20).expand(edges.num_dst, 20)):
        dx, dots = run(edges.graph(), grad, x)
        expected = reference_spmm_grad(edges.edge_index, grad, x)
        assert_close(dx, expected[0])
        assert_close(dots, expected[1])


def test_64_bit_indices_by_a_lowered_limit(isa: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparsegnn.graph._INT32_LIMIT", 10)
    edges = adversarial_graph("random")
    g, grad = edges.graph(), torch.randn(edges.num_dst, 20)
    assert g.csr.t_col.dtype == torch.int64
    x, w = torch.randn(edges.num_src, 20), torch.rand(g.num_edges)
    dx, dots = run(g, grad, x, w)
    expected = reference_spmm_grad(edges.edge_index, grad, x, w)
    assert_close(dx, expected[0])
    assert_close(dots, expected[1])


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_same_bits_for_every_thread_count(threads: int) -> None:
    g = sg.testing.power_law_graph(2000, 40000)
    grad, x = torch.randn(2, 2000, 70)
    w, soft = torch.rand(2, 40000)
    torch.set_num_threads(1)
    expected = run(g, grad, x, w, soft)
    torch.set_num_threads(threads)
    for _ in range(3):
        for left, right in zip(run(g, grad, x, w, soft), expected, strict=True):
            assert torch.equal(left, right)


def test_a_dropped_edge_never_leaks(isa: int) -> None:
    """NaN features and infinite scales stay behind dropped edges, and a source without any is 0."""
    g = sg.Graph.from_edge_index(torch.tensor([[0, 0, 1], [0, 1, 1]]), 2)
    grad = torch.tensor([[1.0], [float("nan")]]).expand(2, 20).contiguous()
    scale = torch.tensor([1.0, torch.inf])
    keep = torch.tensor([True, False, False])
    dx, dots = run(g, grad, torch.ones(2, 20), None, keep, scale, scale)
    assert torch.equal(dx, torch.tensor([[1.0], [0.0]]).expand(2, 20))
    assert dots.tolist() == [20.0, 0.0, 0.0]


@pytest.mark.parametrize("learnt", ["x w m", "x w", "x m", "w m", "w", "m", "x"])
def test_spmm_gradients_by_what_is_learnt(learnt: str) -> None:
    """Whichever kernel computes a gradient, it is that of the float64 definition."""
    edges = adversarial_graph("random")
    g = edges.graph()
    leaves = {
        "x": torch.randn(edges.num_src, 5),
        "w": torch.rand(g.num_edges),
        "m": torch.rand(g.num_edges),
    }
    names = learnt.split()
    for name in names:
        leaves[name].requires_grad_()
    grad = torch.randn(edges.num_dst, 5)
    y = sg.ops.spmm(g, leaves["x"], leaves["w"], leaves["m"])
    found = torch.autograd.grad(y, [leaves[name] for name in names], grad)
    w, m = leaves["w"].detach(), leaves["m"].detach()
    dx, dots = reference_spmm_grad(edges.edge_index, grad, leaves["x"].detach(), w, m)
    expected = {"x": dx, "w": dots * m, "m": dots * w}
    for name, value in zip(names, found, strict=True):
        assert_close(value, expected[name])


def test_one_gather_gives_the_gradients_of_features_and_edges() -> None:
    g = adversarial_graph("random").graph()
    x = torch.randn(g.num_src, 4, requires_grad=True)
    w, m = torch.rand(2, g.num_edges).unbind()
    y = sg.ops.spmm(g, x, w.requires_grad_(), m.requires_grad_())
    with torch.profiler.profile() as profile:
        y.sum().backward()
    called = [event.name for event in profile.events() if event.name.startswith("sparsegnn::")]
    assert called == ["sparsegnn::spmm_grad"]


@pytest.mark.slow
def test_compiled_step_equals_the_eager_one() -> None:
    g = adversarial_graph("random").graph()

    def step(x: Tensor, w: Tensor, m: Tensor) -> Any:
        return sg.ops.spmm(g, x, w, m).square().sum()

    results = []
    for function in (step, torch.compile(step, fullgraph=True, backend="aot_eager")):
        torch.manual_seed(1)
        leaves = [torch.randn(g.num_src, 6), torch.rand(g.num_edges), torch.rand(g.num_edges)]
        leaves = [leaf.requires_grad_() for leaf in leaves]
        function(*leaves).backward()
        results.append([leaf.grad for leaf in leaves])
    for eager, compiled in zip(*results, strict=True):
        torch.testing.assert_close(eager, compiled)
