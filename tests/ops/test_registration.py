"""Schemas, fake kernels, derivatives and dispatch keys of every operator."""

import subprocess
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import sparsegnn as sg
from sparsegnn.ops._library import LIBRARY
from sparsegnn.testing import adversarial_graph

OPS = torch.ops.sparsegnn
ATTENTION = ["edge_scores", "edge_sum", "edge_softmax", "edge_softmax_grad"]
NAMES = [
    "drop_and_grow_",
    "random_walk",
    "walk_weights",
    "spmm",
    "spmm_grad",
    "spmm_extreme",
    "spmm_extreme_grad",
    "dropout",
    "dropout_grad",
    "transpose",
    "hard_concrete",
    "hard_concrete_grad",
    *ATTENTION,
    "gat",
    "gat_grad_targets",
    "gat_grad",
    "gatv2",
    "gatv2_grad",
    "softmax_aggregate",
    "softmax_aggregate_grad",
    "sddmm",
    "sparse_linear",
    "sparse_linear_grad",
    "block_linear",
    "block_linear_grad",
    "topk_mask",
    "spmm_rows",
    "spmm_rows_grad",
    "spgemm_sizes",
    "spgemm_columns",
    "spgemm_values",
    "spgemm_grad",
    "topk_rows",
    "gcn_hidden",
]


def leaf(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype).requires_grad_()


def spmm_arguments(grad: bool, dtype: torch.dtype = torch.float64) -> tuple[Any, ...]:
    g = adversarial_graph("parallel edges").graph()
    x, w, m, b = (
        leaf(3, 4, dtype=dtype),
        leaf(4, dtype=dtype),
        leaf(4, dtype=dtype),
        leaf(4, dtype=dtype),
    )
    tensors = [t if grad else t.detach() for t in (x, w, m, b)]
    bits = sg.Mask.from_bool(torch.tensor([True, True, False, True])).packed
    return (*g.csr, *tensors[:3], bits, None, None, tensors[3], True, True)


def spmm_grad_arguments(grad: bool) -> tuple[Any, ...]:
    g = adversarial_graph("parallel edges").graph()
    tensors = [t if grad else t.detach() for t in (leaf(3, 4), leaf(3, 4), leaf(4), leaf(4))]
    bits = sg.Mask.from_bool(torch.tensor([True, True, False, True])).packed
    scales = [torch.rand(3, dtype=torch.float64) for _ in range(2)]
    return (*g.csr, *tensors, bits, *scales)


def sddmm_arguments(grad: bool) -> tuple[Any, ...]:
    g = adversarial_graph("parallel edges").graph()
    tensors = [t if grad else t.detach() for t in (leaf(3, 4), leaf(3, 4), leaf(4))]
    return (*g.csr, *tensors, None, None, None)


def linear_arguments(grad: bool) -> tuple[Any, ...]:
    weight = sg.SparseWeight.from_dense(torch.eye(3, 4, dtype=torch.float64))
    tensors = [t if grad else t.detach() for t in (leaf(5, 4), leaf(3), leaf(3))]
    return (*weight.csr, *tensors)


def linear_grad_arguments(grad: bool) -> tuple[Any, ...]:
    weight = sg.SparseWeight.from_dense(torch.eye(3, 4, dtype=torch.float64))
    tensors = [t if grad else t.detach() for t in (leaf(5, 3), leaf(5, 4))]
    return (*weight.csr, *tensors)


def attention_arguments(name: str, grad: bool) -> tuple[Any, ...]:
    g = adversarial_graph("parallel edges").graph()
    bits = sg.Mask.from_bool(torch.tensor([True, True, False, True])).packed
    shapes = {
        "edge_scores": ((3, 2), (3, 2)),
        "edge_sum": ((4, 2),),
        "edge_softmax": ((4, 2),),
        "edge_softmax_grad": ((4, 2), (4, 2)),
    }[name]
    tensors = [leaf(*shape) if grad else leaf(*shape).detach() for shape in shapes]
    return (*g.csr, *tensors, bits, *([0.2] if name == "edge_scores" else []))


def gat_arguments(grad: bool) -> tuple[Any, ...]:
    g = adversarial_graph("parallel edges").graph()
    bits = sg.Mask.from_bool(torch.tensor([True, True, False, True])).packed
    leaves = [leaf(3, 2, 4), leaf(3, 2), leaf(3, 2), leaf(4, 2)]
    tensors = [t if grad else t.detach() for t in leaves]
    return (*g.csr, *tensors, bits, 0.2, 0.5, torch.tensor([3]), True)


def gat_targets_arguments() -> tuple[Any, ...]:
    arguments = gat_arguments(False)
    saved = OPS.gat.default(*arguments)
    return (torch.randn_like(saved[0]), arguments[7], *saved, 0.2)


def gat_grad_arguments() -> tuple[Any, ...]:
    *csr, x, _, s_src, score, bits, slope, dropout, seed, _ = gat_arguments(False)
    grad, *rest = gat_targets_arguments()
    stats, _ = OPS.gat_grad_targets.default(grad, *rest)
    return (*csr, grad, stats, x, s_src, score, bits, slope, dropout, seed, True)


def gatv2_arguments(grad: bool) -> tuple[Any, ...]:
    g = adversarial_graph("parallel edges").graph()
    bits = sg.Mask.from_bool(torch.tensor([True, True, False, True])).packed
    leaves = [leaf(3, 2, 4), leaf(3, 2, 4), leaf(2, 4)]
    tensors = [t if grad else t.detach() for t in leaves]
    return (*g.csr, *tensors, bits, 0.2, 0.5, torch.tensor([3]))


def gatv2_grad_arguments() -> tuple[Any, ...]:
    *tensors, slope, dropout, seed = gatv2_arguments(False)
    saved = OPS.gatv2.default(*tensors, slope, dropout, seed)
    return (*tensors[:6], torch.randn_like(saved[0]), *tensors[6:], *saved, slope, dropout, seed)


def softmax_arguments(grad: bool) -> tuple[Any, ...]:
    g = adversarial_graph("parallel edges").graph()
    bits = sg.Mask.from_bool(torch.tensor([True, True, False, True])).packed
    tensors = [t if grad else t.detach() for t in (leaf(3, 4), leaf(4))]
    return (*g.csr, *tensors, bits, True, 0.1, True)


def softmax_grad_arguments(with_dt: bool) -> tuple[Any, ...]:
    *tensors, relu, eps, _ = softmax_arguments(False)
    y, log_sum = OPS.softmax_aggregate.default(*tensors, relu, eps, True)
    return (*tensors[:6], torch.randn_like(y), *tensors[6:], y, log_sum, relu, eps, with_dt)


def hidden_arguments() -> tuple[Any, ...]:
    g = adversarial_graph("path").graph()
    x = sg.SparseMatrix.from_dense(torch.eye(40, 6))
    w1 = sg.ops.pack_panels(torch.randn(6, 200))
    pattern = (x.pattern.rowptr, x.pattern.col, x.values, None)
    return (*pattern, g.rowptr, g.col, None, w1, None, torch.randn(3, w1.shape[0] * w1.shape[2]))


CASES: list[tuple[str, Callable[[bool], tuple[Any, ...]]]] = [
    ("spmm", spmm_arguments),
    ("spmm_grad", spmm_grad_arguments),
    ("sddmm", sddmm_arguments),
    ("sparse_linear", linear_arguments),
    ("sparse_linear_grad", linear_grad_arguments),
    *((name, partial(attention_arguments, name)) for name in ATTENTION),
]


@pytest.mark.slow
@pytest.mark.parametrize("grad", [False, True], ids=["plain", "requires_grad"])
@pytest.mark.parametrize("name,make", CASES)
def test_opcheck(name: str, make: Callable[[bool], tuple[Any, ...]], grad: bool) -> None:
    torch.library.opcheck(getattr(OPS, name).default, make(grad))


@pytest.mark.slow
def test_opcheck_of_the_other_operators() -> None:
    torch.library.opcheck(OPS.topk_mask.default, ([torch.randn(3, 4), torch.randn(5)], [6], False))
    torch.library.opcheck(OPS.gcn_hidden.default, hidden_arguments())
    for grad in (False, True):
        torch.library.opcheck(OPS.gat.default, gat_arguments(grad))
        torch.library.opcheck(OPS.gatv2.default, gatv2_arguments(grad))
        torch.library.opcheck(OPS.softmax_aggregate.default, softmax_arguments(grad))
        torch.library.opcheck(OPS.softmax_aggregate_grad.default, softmax_grad_arguments(grad))
    torch.library.opcheck(OPS.gat_grad_targets.default, gat_targets_arguments())
    torch.library.opcheck(OPS.gat_grad.default, gat_grad_arguments())
    torch.library.opcheck(OPS.gatv2_grad.default, gatv2_grad_arguments())


@pytest.mark.parametrize("name,make", CASES)
def test_closed_under_differentiation(name: str, make: Callable[[bool], tuple[Any, ...]]) -> None:
    arguments = list(make(True))
    if name == "spmm":
        arguments[-1] = False  # the kink of ReLU is tested away from zero below
    places = [i for i, a in enumerate(arguments) if isinstance(a, torch.Tensor) and a.requires_grad]

    def function(*leaves: torch.Tensor) -> torch.Tensor:
        filled = list(arguments)
        for place, value in zip(places, leaves, strict=True):
            filled[place] = value
        return getattr(OPS, name).default(*filled)  # type: ignore[no-any-return]

    leaves = tuple(arguments[i] for i in places)
    assert gradcheck(function, leaves)
    assert gradgradcheck(function, leaves)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("reduce", ["sum", "mean"])
@pytest.mark.parametrize("name", ["random", "wide", "isolated nodes", "no edges"])
def test_spmm_gradients_through_the_public_function(name: str, reduce: str, relu: bool) -> None:
    edges = adversarial_graph(name)
    g = edges.graph()
    keep = torch.rand(g.num_edges) > 0.3

    def function(
        x: torch.Tensor, w: torch.Tensor, r: torch.Tensor, c: torch.Tensor, b: torch.Tensor
    ) -> torch.Tensor:
        return sg.ops.spmm(
            g,
            x,
            w,
            keep,
            reduce=reduce,
            row_scale=r,
            col_scale=c,
            bias=b,
            relu=relu,  # type: ignore[arg-type]
        )

    leaves = (
        leaf(edges.num_src, 3),
        leaf(g.num_edges),
        leaf(edges.num_dst),
        leaf(edges.num_src),
        leaf(3),
    )
    assert gradcheck(function, leaves, fast_mode=True)
    assert gradgradcheck(function, leaves, fast_mode=True)


@pytest.mark.parametrize("name", NAMES)
def test_both_devices_and_fake_tensors_are_registered(name: str) -> None:
    qualified = f"sparsegnn::{name}"
    for key in ("CPU", "CUDA"):
        assert torch._C._dispatch_has_kernel_for_dispatch_key(qualified, key), key
    assert torch._C._dispatch_has_kernel_for_dispatch_key(qualified, "Meta")


def test_fake_cuda_tensors_give_cuda_results() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    g = adversarial_graph("random").graph()
    with FakeTensorMode():
        csr = [
            None if t is None else torch.empty(t.shape, dtype=t.dtype, device="cuda") for t in g.csr
        ]
        x = torch.empty(g.num_src, 8, device="cuda", dtype=torch.float16)
        y = OPS.spmm.default(*csr, x, None, None, None, None, None, None, False, False)
        assert y.device.type == "cuda"
        assert y.shape == (g.num_dst, 8)
        assert y.dtype == torch.float16
        s = OPS.sddmm.default(*csr, x.new_empty(g.num_dst, 8), x, None, None, None, None)
        assert s.dtype == torch.float32
        assert s.shape == (g.num_edges,)


@pytest.mark.slow
def test_compiles_to_one_graph_without_recompiling() -> None:
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()

    def step(g: sg.Graph, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        y = sg.ops.spmm(g, x, w, relu=True)
        return y.sum() + sg.ops.sddmm(g, y, x).mean()

    compiled = torch.compile(step, fullgraph=True, backend="aot_eager", dynamic=True)
    for seed in (1, 2):
        edges = sg.testing.random_graph(30 + seed, 30 + seed, 200 + seed, seed)
        g = edges.graph()
        x, w = torch.randn(30 + seed, 8, requires_grad=True), torch.rand(200 + seed)
        w.requires_grad_()
        expected = torch.autograd.grad(step(g, x, w), (x, w))
        actual = torch.autograd.grad(compiled(g, x, w), (x, w))
        for left, right in zip(actual, expected, strict=True):
            torch.testing.assert_close(left, right)


def test_gcn_hidden_equals_its_composition() -> None:
    from sparsegnn.ops.gcn_hidden import composite

    arguments = list(hidden_arguments())
    for dtype in (torch.float32, torch.float64):
        converted = [
            a.to(dtype) if isinstance(a, torch.Tensor) and a.is_floating_point() else a
            for a in arguments
        ]
        converted[8] = torch.randn(converted[9].shape[1], dtype=dtype)
        torch.testing.assert_close(OPS.gcn_hidden.default(*converted), composite(*converted))


def test_gcn_hidden_has_no_gradient() -> None:
    arguments = list(hidden_arguments())
    arguments[7].requires_grad_()
    with pytest.raises(RuntimeError, match="inference"):
        OPS.gcn_hidden.default(*arguments).sum().backward()


def test_the_library_is_free_of_python_and_needs_libtorch() -> None:
    dynamic = subprocess.run(["readelf", "-d", LIBRARY], capture_output=True, text=True, check=True)
    needed = [line for line in dynamic.stdout.splitlines() if "NEEDED" in line]
    assert any("libtorch.so" in line for line in needed)
    assert not any("libpython" in line or "libcuda" in line for line in needed)
    symbols = subprocess.run(["nm", "-D", LIBRARY], capture_output=True, text=True, check=True)
    names = [line.split()[-1] for line in symbols.stdout.splitlines()]
    assert not any(name.startswith("Py") for name in names)
    # Only the stable C interface of torch: no C++ symbol of c10, at or torch is imported.
    imported = [line.split()[-1] for line in symbols.stdout.splitlines() if " U " in line]
    assert not any(name.startswith(("_ZN3c10", "_ZN2at", "_ZN5torch")) for name in imported)
    weak = [line for line in symbols.stdout.splitlines() if "get_current_cuda_stream" in line]
    assert weak and all(" w " in line for line in weak)
