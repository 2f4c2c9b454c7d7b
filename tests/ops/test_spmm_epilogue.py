"""What follows the sums of `spmm`: bias, ReLU, dropout, a residual and another dtype."""

from typing import Any

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import sparsegnn as sg
from sparsegnn.testing import ADVERSARIAL, adversarial_graph, assert_close, reference_spmm

CASTS = [
    (torch.float32, torch.float32),
    (torch.float32, torch.bfloat16),
    (torch.float32, torch.float16),
    (torch.bfloat16, torch.float32),
    (torch.bfloat16, torch.float16),
    (torch.float16, torch.float16),
    (torch.float64, torch.float64),
]


@pytest.mark.parametrize("name", ADVERSARIAL)
@pytest.mark.parametrize("dtypes", CASTS, ids=lambda pair: f"{pair[0]}->{pair[1]}")
def test_epilogues_on_adversarial_graphs(
    isa: int, name: str, dtypes: tuple[torch.dtype, torch.dtype]
) -> None:
    edges = adversarial_graph(name)
    g, (dtype, out) = edges.graph(), dtypes
    acc = torch.float64 if dtype == torch.float64 else torch.float32
    x = torch.randn(edges.num_src, 19).to(dtype)
    residual, bias = torch.randn(edges.num_dst, 19).to(out), torch.randn(19, dtype=acc)
    weight, keep = torch.rand(g.num_edges, dtype=acc), torch.rand(g.num_edges) > 0.3
    for arguments in (
        {"residual": residual},
        {"dropout": 0.4, "seed": 7},
        {"residual": residual, "dropout": 0.4, "seed": -1, "relu": True, "bias": bias},
        {"residual": residual, "edge_weight": weight, "edge_mask": keep, "relu": True},
        {"edge_weight": weight, "dropout": 1.0, "seed": 7, "bias": bias},
    ):
        expected = reference_spmm(edges.edge_index, edges.num_dst, x, **arguments)
        actual = sg.ops.spmm(g, x, out_dtype=out, **arguments)
        assert actual.dtype == out
        assert_close(actual, expected)


@pytest.mark.parametrize("width", [0, 1, 7, 16, 31, 33, 64, 127, 257])
def test_epilogues_at_every_width(isa: int, width: int) -> None:
    edges = adversarial_graph("random")
    g, x = edges.graph(), torch.randn(edges.num_src, width)
    residual = torch.randn(edges.num_dst, width)
    arguments: dict[str, Any] = {"residual": residual, "dropout": 0.5, "seed": 3, "relu": True}
    expected = reference_spmm(edges.edge_index, edges.num_dst, x, **arguments)
    assert_close(sg.ops.spmm(g, x, **arguments), expected)
    wide = torch.randn(edges.num_dst, 2 * width)
    for strided in (wide[:, width:], wide[:, ::2], residual[:1].expand_as(residual)):
        arguments["residual"] = strided
        expected = reference_spmm(edges.edge_index, edges.num_dst, x, **arguments)
        assert_close(sg.ops.spmm(g, x, **arguments), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_drops_what_the_operator_dropout_drops(isa: int, dtype: torch.dtype) -> None:
    g, x = sg.testing.random_graph(200, 300, 2000).graph(), torch.randn(300, 70).to(dtype)
    fused = sg.ops.spmm(g, x, dropout=0.3, seed=11, out_dtype=torch.float32)
    apart = sg.ops.dropout(sg.ops.spmm(g, x, out_dtype=torch.float32), 0.3, 11)
    assert torch.equal(fused == 0, apart == 0)
    assert_close(fused, apart)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_same_bits_for_every_thread_count(threads: int) -> None:
    g = sg.testing.power_law_graph(2000, 40000)
    x, r = torch.randn(2000, 70), torch.randn(2000, 70).bfloat16()

    def run() -> torch.Tensor:
        return sg.ops.spmm(g, x, residual=r, dropout=0.5, seed=1, out_dtype=torch.bfloat16)

    torch.set_num_threads(1)
    expected = run()
    torch.set_num_threads(threads)
    assert torch.equal(run(), expected)


def test_the_default_seed_follows_torch() -> None:
    g, x = adversarial_graph("random").graph(), torch.randn(40, 30)
    torch.manual_seed(3)
    first, second = sg.ops.spmm(g, x, dropout=0.5), sg.ops.spmm(g, x, dropout=0.5)
    torch.manual_seed(3)
    assert torch.equal(sg.ops.spmm(g, x, dropout=0.5), first)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("with_residual", [False, True])
@pytest.mark.parametrize("name", ["random", "isolated nodes", "no edges"])
def test_gradients(name: str, with_residual: bool, relu: bool) -> None:
    edges = adversarial_graph(name)
    g = edges.graph()

    def leaf(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, dtype=torch.float64).requires_grad_()

    def function(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor, r: torch.Tensor) -> Any:
        residual = r if with_residual else None
        return sg.ops.spmm(g, x, w, bias=b, relu=relu, residual=residual, dropout=0.4, seed=5)

    leaves = (leaf(edges.num_src, 3), leaf(g.num_edges), leaf(3), leaf(edges.num_dst, 3))
    used = leaves if with_residual else (*leaves[:3], leaves[3].detach())
    assert gradcheck(function, used, fast_mode=True)
    assert gradgradcheck(function, used, fast_mode=True)


@pytest.mark.parametrize("relu", [False, True])
def test_gradients_of_mixed_types_equal_the_composition(relu: bool) -> None:
    edges = adversarial_graph("random")
    g, w = edges.graph(), torch.rand(400, requires_grad=True)
    x = torch.randn(edges.num_src, 9).bfloat16().requires_grad_()
    r = torch.randn(edges.num_dst, 9, requires_grad=True)
    fused = sg.ops.spmm(
        g, x, w, relu=relu, residual=r, dropout=0.4, seed=2, out_dtype=torch.float32
    )
    apart = sg.ops.spmm(g, x, w, relu=relu, out_dtype=torch.float32)
    apart = sg.ops.dropout(apart, 0.4, 2) + r
    upstream = torch.randn_like(fused)
    for left, right in zip(
        torch.autograd.grad(fused, (x, w, r), upstream),
        torch.autograd.grad(apart, (x, w, r), upstream),
        strict=True,
    ):
        assert left.dtype == right.dtype
        assert_close(left, right)


@pytest.mark.slow
def test_opcheck() -> None:
    g = adversarial_graph("parallel edges").graph()
    nothing = (None,) * 6
    for grad in (False, True):
        x, r = torch.randn(3, 4, requires_grad=grad), torch.randn(3, 4, requires_grad=grad)
        epilogue = (False, False, r, 0.5, torch.tensor([4]), torch.float32)
        torch.library.opcheck(torch.ops.sparsegnn.spmm.default, (*g.csr, x, *nothing, *epilogue))


@pytest.mark.slow
def test_compiles_to_one_graph() -> None:
    g = adversarial_graph("random").graph()

    def step(x: torch.Tensor, seed: torch.Tensor | int | None) -> torch.Tensor:
        return sg.ops.spmm(g, x, relu=True, dropout=0.5, seed=seed, out_dtype=torch.bfloat16)

    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    x = torch.randn(40, 8, requires_grad=True)
    for seed in (3, torch.tensor([3])):
        assert torch.equal(compiled(x, seed), step(x, seed))
    compiled(x, None).sum().backward()
    assert x.grad is not None


def test_relu_with_residual_has_no_gradient_in_the_raw_operator() -> None:
    g = adversarial_graph("random").graph()
    x, r = torch.randn(40, 3, requires_grad=True), torch.randn(50, 3)
    with pytest.raises(RuntimeError, match=r"use sparsegnn\.ops\.spmm"):
        torch.ops.sparsegnn.spmm.default(*g.csr, x, *(None,) * 6, False, True, r)
