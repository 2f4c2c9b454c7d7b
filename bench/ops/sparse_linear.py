"""Dense features times a sparse weight."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

import sparsegnn as sg
from bench.cases import OURS, Builders, Case, Outputs
from bench.peers import weights

SHAPES = (
    (170_000, 128, 256),
    (170_000, 256, 256),
    (20_000, 512, 512),
    (2708, 1433, 256),
    (20_000, 1024, 1024),
)
QUICK_SHAPES = SHAPES[2:4]
ZEROS = (0.90, 0.95)
CROSSOVER = (0.50, 0.80, 0.99)  # at the middle shape, to show where sparse weights begin to pay


def cases(quick: bool) -> Builders:
    """Every shape at every sparsity, then more sparsities and training; two shapes when quick."""
    found: Builders = {
        case_name(*shape, zeros): partial(product, *shape, zeros)
        for shape in (QUICK_SHAPES if quick else SHAPES)
        for zeros in ZEROS
    }
    if quick:
        return found
    shape = SHAPES[2]
    for zeros in CROSSOVER:
        found[case_name(*shape, zeros)] = partial(product, *shape, zeros)
    for zeros in ZEROS:
        found[case_name(*shape, zeros, "-train")] = partial(training, *shape, zeros)
    return found


def case_name(rows: int, features: int, outputs: int, zeros: float, kind: str = "") -> str:
    """Name of one product."""
    return f"sparse-linear{kind}/{rows}x{features}x{outputs}/zeros={zeros:.2f}"


def product(rows: int, features: int, outputs: int, zeros: float) -> Case:
    """Product of x [rows, features] with W [outputs, features] transposed."""
    x, weight = _operands(rows, features, outputs, zeros)
    ours = sg.SparseWeight.from_dense(weight).requires_grad_(False)
    return Case(
        name=case_name(rows, features, outputs, zeros),
        alternatives={
            OURS: lambda: sg.ops.sparse_linear(x, ours),
            "dense": weights.dense(x, weight),
            "torch.sparse CSR(W) x^T": weights.csr_left(x, weight),
            "torch.sparse CSR(W) int32 x^T": weights.csr_left_int32(x, weight),
            "torch.sparse x CSR(W^T)": weights.csr_right(x, weight),
            "torch.sparse linear": weights.csr_linear(x, weight),
        },
        params={"rows": rows, "in": features, "out": outputs, "zeros": zeros},
        reference=lambda: (x.double() @ weight.double().t(),),
    )


def training(rows: int, features: int, outputs: int, zeros: float) -> Case:
    """Forward, then gradients of x and of the weight: of its kept entries, or of all."""
    x, weight = _operands(rows, features, outputs, zeros)
    upstream = torch.randn(rows, outputs, generator=torch.Generator().manual_seed(5))
    ours = sg.SparseWeight.from_dense(weight)
    x.requires_grad_()
    dense = weight.clone().requires_grad_()

    def sparse_step() -> Outputs:
        y = sg.ops.sparse_linear(x, ours)
        return y.detach(), *torch.autograd.grad(y, (x, ours.values), upstream)

    def dense_step() -> Outputs:
        y = torch.nn.functional.linear(x, dense)
        return y.detach(), *torch.autograd.grad(y, (x, dense), upstream)

    def exact() -> Outputs:
        wide, up = weight.double(), upstream.double()
        return x.detach().double() @ wide.t(), up @ wide, up.t() @ x.detach().double()

    def exact_at_kept() -> Outputs:
        y, dx, dweight = exact()
        return y, dx, dweight[weight != 0]

    return Case(
        name=case_name(rows, features, outputs, zeros, "-train"),
        alternatives={OURS: sparse_step, "dense": dense_step},
        params={"rows": rows, "in": features, "out": outputs, "zeros": zeros},
        reference=exact_at_kept,
        references={"dense": exact},
        note="The dense step computes the gradient of every entry of the weight.",
    )


def _operands(rows: int, features: int, outputs: int, zeros: float) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(rows, features, generator=generator)
    kept = torch.rand(outputs, features, generator=generator) >= zeros
    return x, torch.randn(outputs, features, generator=generator) * kept
