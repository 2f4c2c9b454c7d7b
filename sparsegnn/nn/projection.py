"""Linear maps of dense or sparse features, and their start."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from sparsegnn.nn._inputs import Features
from sparsegnn.nn.kept_linear import KeptLinear
from sparsegnn.nn.large_linear import linear
from sparsegnn.ops import spmm
from sparsegnn.ops.transpose import transposed
from sparsegnn.sparse_matrix import SparseMatrix

# Outputs from which a dense product does not care about the layout of the weight.
_WIDE = 32
_PYG_LINEAR = ("torch_geometric.nn.dense.linear", "Linear")

Matrix = Tensor | KeptLinear


def glorot(parameter: Tensor) -> None:
    """Fills the parameter with Glorot-uniform numbers."""
    limit = math.sqrt(6.0 / (parameter.shape[-2] + parameter.shape[-1]))
    _fill_uniform(parameter, limit)


def _fill_uniform(parameter: Tensor, limit: float) -> None:
    """The same numbers for the same seed, however the parameter is laid out and typed."""
    with torch.no_grad():
        parameter.copy_(torch.empty(parameter.shape).uniform_(-limit, limit))


class Projection(nn.Module):
    """`x @ weight.T + bias` for dense or sparse x.

    A wide weight `[out, in]` is stored input-major: sparse features gather its columns, and dense
    products run at the same speed either way. A narrow one is stored as it is. The layer that holds
    the projection fills it.
    """

    bias: Tensor | None

    def __init__(self, in_channels: int, out_channels: int, bias: bool = False) -> None:
        super().__init__()
        if out_channels < _WIDE:
            self.weight = nn.Parameter(torch.empty(out_channels, in_channels))
        else:
            self.weight = nn.Parameter(torch.empty(in_channels, out_channels).t())
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None

    def reset_parameters(self) -> None:
        """The start of `torch.nn.Linear`: uniform within 1 / sqrt(in_channels)."""
        limit = 1.0 / math.sqrt(self.weight.shape[1])
        for parameter in self.parameters():
            _fill_uniform(parameter, limit)

    def forward(self, x: Features) -> Tensor:
        """Maps `[..., in]` to `[..., out]`."""
        return product(self.weight, x, self.bias)

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.weight.shape[1]}, {self.weight.shape[0]}, bias={self.bias is not None}"


def is_plain(lin: nn.Module) -> bool:
    """Whether a call is `x @ weight.T + bias` and nothing else: no hook, no lazy weight.

    Its weight may be parametrized: then it is computed wherever it is read.
    """
    kind = type(lin).__bases__[0] if is_parametrized(lin) else type(lin)
    known = kind in (Projection, nn.Linear) or (kind.__module__, kind.__name__) == _PYG_LINEAR
    return known and not has_hooks(lin)


def commutes(lin: nn.Module) -> bool:
    """Whether a call is `product` and a bias, so that rows may be summed before it."""
    return is_plain(lin) or (isinstance(lin, KeptLinear) and not has_hooks(lin))


def matrix_of(lin: Any) -> Matrix:
    """What `product` takes of a map that `commutes`."""
    return lin if isinstance(lin, KeptLinear) else lin.weight


def bias_beside(lin: nn.Module, bias: Any) -> Tensor | None:
    """The entries of a bias for the channels that the map gives."""
    return lin.taken_bias(bias) if isinstance(lin, KeptLinear) else bias


def has_hooks(module: nn.Module) -> bool:
    """Whether calling the module runs more than its forward method."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )


def product(weight: Matrix, x: Features, bias: Tensor | None = None) -> Tensor:
    """`x @ weight.T + bias`."""
    if isinstance(weight, KeptLinear):
        return weight.product(x, bias)
    if isinstance(x, SparseMatrix):
        return spmm(x.pattern, _input_major(weight), edge_weight=x.values, bias=bias)
    return linear(x, weight, bias)


def _input_major(weight: Tensor) -> Tensor:
    """W^T `[in, out]` with rows that lie in one piece, as gathers read them."""
    is_row_major = weight.stride(1) == 1 and weight.shape[1] > 1
    return transposed(weight) if is_row_major and weight.device.type == "cpu" else weight.t()


def project(lin: nn.Module, x: Features) -> Tensor:
    """A linear map of dense features, or of sparse ones where the map is plain."""
    if is_plain(lin):
        weight, bias = lin.weight, lin.bias
        assert isinstance(weight, Tensor) and not isinstance(bias, nn.Module)
        return product(weight, x, bias)
    if isinstance(x, Tensor) or isinstance(lin, (Projection, KeptLinear)):
        result: Tensor = lin(x)
        return result
    raise TypeError(
        f"x must be a dense tensor for a {type(lin).__name__} that has hooks or is no plain "
        "linear map, got SparseMatrix."
    )
