import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import sparsegnn as sg
from sparsegnn.graph import CsrTensors
from sparsegnn.testing import assert_close, reference_sparse_linear

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
SHAPES = [(0, 2, 3), (1, 1, 1), (37, 3, 2), (64, 1, 4), (70, 4, 1), (300, 2, 2), (5, 0, 2)]


def acc(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def blocky(rows: int, cols: int, block: int, density: float, dtype: torch.dtype) -> torch.Tensor:
    keep = (torch.rand(rows, cols) < density).repeat_interleave(block, 0)
    keep = keep.repeat_interleave(block, 1)
    return torch.randn(rows * block, cols * block, dtype=dtype) * keep


@pytest.mark.parametrize("samples,inputs,outputs", SHAPES)
@pytest.mark.parametrize("block", [16, 32, 64])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_forward_and_gradients(
    isa: int, samples: int, inputs: int, outputs: int, block: int, dtype: torch.dtype
) -> None:
    dense = blocky(outputs, inputs, block, 0.6, acc(dtype))
    weight = sg.BlockWeight.from_dense(dense, block)
    assert torch.equal(weight.to_dense(), dense)
    bias = torch.randn(outputs * block, dtype=dense.dtype)
    x = torch.randn(samples, inputs * block).to(dtype).requires_grad_()
    y = sg.ops.block_linear(x, weight, bias)
    assert y.dtype == dtype
    assert_close(y, reference_sparse_linear(x.detach(), dense, bias))
    g = torch.randn(samples, outputs * block).to(dtype)
    y.backward(g)
    assert x.grad is not None and weight.values.grad is not None
    assert_close(x.grad, reference_sparse_linear(g, dense.t()))
    full = sg.BlockWeight.from_dense(g.double().t() @ x.detach().double(), block, dense.ne(0))
    assert_close(weight.values.grad, full.values.detach(), dtype)


@pytest.mark.parametrize("density", [0.0, 1.0])
@pytest.mark.parametrize("block", [16, 64])
def test_densities(isa: int, density: float, block: int) -> None:
    dense = blocky(3, 2, block, density, torch.float32)
    x = torch.randn(100, 2 * block)
    weight = sg.BlockWeight.from_dense(dense, block)
    assert_close(sg.ops.block_linear(x, weight), reference_sparse_linear(x, dense))


@pytest.mark.parametrize("samples", [1000, 2500])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_same_bits_for_every_thread_count(threads: int, samples: int) -> None:
    weight = sg.BlockWeight.from_dense(blocky(4, 5, 16, 0.4, torch.float32), 16)
    x = torch.randn(samples, 80)
    results = []
    for count in (1, threads):
        torch.set_num_threads(count)
        y = sg.ops.block_linear(x, weight)
        results.append((y, *torch.autograd.grad(y.square().sum(), weight.values)))
    for left, right in zip(*results, strict=True):
        assert torch.equal(left, right)


def test_edge_ids_and_int64_indices(isa: int) -> None:
    dense = blocky(3, 4, 16, 0.5, torch.float32)
    weight = sg.BlockWeight.from_dense(dense, 16)
    order = torch.randperm(weight.values.shape[0])
    csr = CsrTensors(*(None if t is None else t.long() for t in weight.csr))
    values = torch.empty_like(weight.values)
    values[order] = weight.values.detach()
    x, g = torch.randn(50, 64), torch.randn(50, 48)
    operator = torch.ops.sparsegnn.block_linear.default
    y = operator(csr.rowptr, csr.col, order, *csr[3:], x, values, None, False)
    assert_close(y, reference_sparse_linear(x, dense))
    grad = torch.ops.sparsegnn.block_linear_grad.default
    expected = grad(*weight.csr, g, x, 16)
    actual = grad(csr.rowptr, csr.col, order, *csr[3:], g, x, 16)
    assert torch.equal(actual[order], expected)


@pytest.mark.parametrize("transposed", [False, True])
def test_closed_under_differentiation(transposed: bool) -> None:
    weight = sg.BlockWeight.from_dense(blocky(2, 1, 16, 1.0, torch.float64), 16)
    csr = weight.csr.transposed() if transposed else weight.csr
    inputs, outputs = (32, 16) if transposed else (16, 32)
    leaves = [
        torch.randn(shape, dtype=torch.float64, requires_grad=True)
        for shape in ((3, inputs), (2, 16, 16), (outputs,))
    ]

    def function(x: torch.Tensor, values: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return torch.ops.sparsegnn.block_linear.default(  # type: ignore[no-any-return]
            *csr, x, values, bias, transposed
        )

    assert gradcheck(function, leaves, fast_mode=True)
    assert gradgradcheck(function, leaves, fast_mode=True)


def test_the_gradient_is_differentiable() -> None:
    weight = sg.BlockWeight.from_dense(blocky(2, 1, 16, 1.0, torch.float64), 16)
    leaves = [torch.randn(3, n, dtype=torch.float64, requires_grad=True) for n in (32, 16)]
    grad = torch.ops.sparsegnn.block_linear_grad.default
    assert gradcheck(lambda g, x: grad(*weight.csr, g, x, 16), leaves, fast_mode=True)
    assert gradgradcheck(lambda g, x: grad(*weight.csr, g, x, 16), leaves, fast_mode=True)


@pytest.mark.slow
def test_opcheck_and_one_compiled_graph() -> None:
    weight = sg.BlockWeight.from_dense(blocky(2, 3, 16, 0.7, torch.float32), 16)
    x, g = torch.randn(5, 48, requires_grad=True), torch.randn(5, 32)
    arguments = (*weight.csr, x, weight.values.detach(), None, False)
    torch.library.opcheck(torch.ops.sparsegnn.block_linear.default, arguments)
    arguments = (*weight.csr, g, x, 16)
    torch.library.opcheck(torch.ops.sparsegnn.block_linear_grad.default, arguments)
    torch._dynamo.reset()
    compiled = torch.compile(sg.ops.block_linear, fullgraph=True, backend="aot_eager")
    (expected,) = torch.autograd.grad(sg.ops.block_linear(x, weight).square().sum(), x)
    (actual,) = torch.autograd.grad(compiled(x, weight).square().sum(), x)
    assert_close(actual, expected)


def test_fake_cuda_tensors_give_cuda_results() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    weight = sg.BlockWeight.from_dense(blocky(2, 3, 16, 0.7, torch.float32), 16)
    with FakeTensorMode():
        csr = [
            None if t is None else torch.empty(t.shape, dtype=t.dtype, device="cuda")
            for t in weight.csr
        ]
        x = torch.empty(7, 48, device="cuda", dtype=torch.float16)
        values = torch.empty(weight.values.shape, device="cuda")
        y = torch.ops.sparsegnn.block_linear.default(*csr, x, values, None, False)
        assert (y.device.type, y.shape, y.dtype) == ("cuda", (7, 32), torch.float16)
        g = torch.ops.sparsegnn.block_linear_grad.default(*csr, y, x, 16)
        assert (g.device.type, g.shape, g.dtype) == ("cuda", values.shape, torch.float32)


def test_strided_input_and_state_dict() -> None:
    dense = blocky(2, 2, 16, 0.8, torch.float32)
    weight = sg.BlockWeight.from_dense(dense, 16)
    x = torch.randn(32, 40).t()
    assert_close(sg.ops.block_linear(x, weight), reference_sparse_linear(x, dense))
    other = sg.BlockWeight.from_dense(torch.zeros_like(dense), 16, dense.ne(0))
    other.load_state_dict(weight.state_dict())
    assert torch.equal(other.to_dense(), dense)


def test_absent_blocks_stop_nan() -> None:
    dense = torch.zeros(16, 32)
    dense[:, :16] = 1
    x = torch.ones(3, 32)
    x[:, 16:] = float("nan")
    assert (sg.ops.block_linear(x, sg.BlockWeight.from_dense(dense, 16)) == 16).all()
