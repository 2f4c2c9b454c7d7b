import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import sparsegnn as sg
from sparsegnn.testing import assert_close, reference_sparse_linear


def pruned(rows: list[int], cols: list[int]) -> torch.Tensor:
    """A [6, 5] matrix with these dead rows and columns."""
    dense = torch.randn(6, 5)
    dense[rows] = 0
    dense[:, cols] = 0
    return dense


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("rows", [[], [1, 4], list(range(6))])
@pytest.mark.parametrize("cols", [[], [0, 2, 3]])
def test_equals_the_dense_layer(
    rows: list[int], cols: list[int], dtype: torch.dtype, with_bias: bool
) -> None:
    dense = pruned(rows, cols)
    weight = sg.CompactWeight.from_dense(dense)
    assert weight.values.shape == ((6 - len(rows), 5 - len(cols)) if len(rows) < 6 else (0, 0))
    assert torch.equal(weight.to_dense(), dense)
    x = torch.randn(9, 5).to(dtype)
    bias = torch.randn(6) if with_bias else None
    y = sg.ops.compact_linear(x, weight, bias)
    assert y.dtype == dtype
    assert_close(y, reference_sparse_linear(x, dense, bias))


@pytest.mark.parametrize("rows", [[], [1, 4]])
def test_gradients(rows: list[int]) -> None:
    weight = sg.CompactWeight.from_dense(pruned(rows, [2]).double())
    x = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(6, dtype=torch.float64, requires_grad=True)

    def function(x: torch.Tensor, values: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(Layer(weight), {"weight.values": values}, (x, bias))

    assert gradcheck(function, (x, weight.values, bias))
    assert gradgradcheck(function, (x, weight.values, bias))


class Layer(torch.nn.Module):
    def __init__(self, weight: sg.CompactWeight) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, x: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return sg.ops.compact_linear(x, self.weight, bias)


def test_compiles_to_one_graph() -> None:
    weight = sg.CompactWeight.from_dense(pruned([1], [2]))
    compiled = torch.compile(sg.ops.compact_linear, fullgraph=True, backend="aot_eager")
    x = torch.randn(4, 5)
    assert_close(compiled(x, weight), sg.ops.compact_linear(x, weight))


def test_dead_inputs_are_never_read() -> None:
    weight = sg.CompactWeight.from_dense(pruned([], [0]))
    x = torch.ones(2, 5)
    x[:, 0] = float("nan")
    assert sg.ops.compact_linear(x, weight).isfinite().all()


def test_no_samples() -> None:
    weight = sg.CompactWeight.from_dense(pruned([0], [0]))
    assert sg.ops.compact_linear(torch.empty(0, 5), weight).shape == (0, 6)


def test_a_mask_decides_what_is_dead() -> None:
    mask = torch.zeros(6, 5, dtype=torch.bool)
    mask[2, 1] = mask[2, 3] = mask[4, 3] = True
    dense = torch.randn(6, 5)
    weight = sg.CompactWeight.from_dense(dense, mask)
    assert (weight.rows.tolist(), weight.cols.tolist()) == ([2, 4], [1, 3])
    assert torch.equal(weight.to_dense(), dense * mask)


def test_wrong_arguments() -> None:
    weight = sg.CompactWeight.from_dense(pruned([0], []))
    with pytest.raises(ValueError, match="x must have 5 columns"):
        sg.ops.compact_linear(torch.randn(2, 4), weight)
    with pytest.raises(ValueError, match=r"bias must have shape \[6\]"):
        sg.ops.compact_linear(torch.randn(2, 5), weight, torch.randn(5))
    with pytest.raises(ValueError, match="weight must be a floating matrix"):
        sg.CompactWeight.from_dense(torch.ones(3))
    with pytest.raises(ValueError, match="mask must be bool"):
        sg.CompactWeight.from_dense(torch.ones(3, 3), torch.ones(3, 3))
