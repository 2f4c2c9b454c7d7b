import pytest
import torch

import sparsegnn as sg
from sparsegnn.testing import assert_close, reference_sparse_linear

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
SHAPES = [(0, 4, 3), (1, 1, 1), (5, 7, 3), (64, 33, 20), (65, 20, 70), (200, 130, 9), (7, 0, 3)]


def sparse(shape: tuple[int, int], density: float, dtype: torch.dtype) -> torch.Tensor:
    kind = torch.float64 if dtype == torch.float64 else torch.float32
    return torch.randn(shape, dtype=kind) * (torch.rand(shape) < density)


@pytest.mark.parametrize("samples,inputs,outputs", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_forward_and_gradients(
    isa: int, samples: int, inputs: int, outputs: int, dtype: torch.dtype
) -> None:
    dense = sparse((outputs, inputs), 0.3, dtype)
    weight = sg.SparseWeight.from_dense(dense)
    bias = torch.randn(outputs, dtype=dense.dtype)
    x = torch.randn(samples, inputs).to(dtype).requires_grad_()
    y = sg.ops.sparse_linear(x, weight, bias)
    assert y.dtype == dtype
    assert_close(y, reference_sparse_linear(x.detach(), dense, bias))
    g = torch.randn(samples, outputs).to(dtype)
    y.backward(g)
    assert x.grad is not None and weight.values.grad is not None
    assert_close(x.grad, reference_sparse_linear(g, dense.t()))
    row, col = dense.ne(0).nonzero(as_tuple=True)
    full = g.double().t() @ x.detach().double()
    assert_close(weight.values.grad, full[row, col], dtype)


@pytest.mark.parametrize("density", [0.0, 0.01, 1.0])
def test_densities(isa: int, density: float) -> None:
    dense = sparse((40, 50), density, torch.float32)
    x = torch.randn(100, 50)
    expected = reference_sparse_linear(x, dense)
    assert_close(sg.ops.sparse_linear(x, sg.SparseWeight.from_dense(dense)), expected)


@pytest.mark.parametrize("samples", [1000, 2500])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_same_bits_for_every_thread_count(threads: int, samples: int) -> None:
    weight = sg.SparseWeight.from_dense(sparse((60, 80), 0.2, torch.float32))
    x = torch.randn(samples, 80)
    torch.set_num_threads(1)
    y = sg.ops.sparse_linear(x, weight)
    (expected,) = torch.autograd.grad(y.square().sum(), weight.values)
    torch.set_num_threads(threads)
    z = sg.ops.sparse_linear(x, weight)
    (actual,) = torch.autograd.grad(z.square().sum(), weight.values)
    assert torch.equal(y, z)
    assert torch.equal(actual, expected)


def test_gradients_over_many_chunks_of_samples(isa: int) -> None:
    dense = sparse((33, 47), 0.1, torch.float32)
    weight = sg.SparseWeight.from_dense(dense)
    x, g = torch.randn(3001, 47), torch.randn(3001, 33)
    sg.ops.sparse_linear(x, weight).backward(g)
    row, col = dense.ne(0).nonzero(as_tuple=True)
    assert weight.values.grad is not None
    assert_close(weight.values.grad, (g.double().t() @ x.double())[row, col])


def test_pruned_weights_stop_nan_and_infinity() -> None:
    weight = sg.SparseWeight.from_dense(torch.tensor([[1.0, 0.0, 2.0]]))
    x = torch.tensor([[1.0, float("nan"), 3.0], [2.0, float("inf"), 1.0]])
    assert sg.ops.sparse_linear(x, weight).flatten().tolist() == [7.0, 4.0]


def test_state_dict_round_trip() -> None:
    weight = sg.SparseWeight.from_dense(sparse((6, 5), 0.5, torch.float32))
    other = sg.SparseWeight.from_dense((weight.to_dense() != 0).float())
    other.load_state_dict(weight.state_dict())
    assert torch.equal(other.to_dense(), weight.to_dense())


def test_explicit_mask_keeps_zeros_trainable() -> None:
    mask = torch.tensor([[True, False], [True, True]])
    weight = sg.SparseWeight.from_dense(torch.zeros(2, 2), mask)
    assert weight.nnz == 3
