"""Dense features times a sparse weight."""

from __future__ import annotations

from functools import partial

import torch

import sparsegnn as sg
from bench.cases import OURS, Builders, Case
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


def cases(quick: bool) -> Builders:
    """Every shape at every sparsity; two shapes in a quick run."""
    return {
        case_name(*shape, zeros): partial(product, *shape, zeros)
        for shape in (QUICK_SHAPES if quick else SHAPES)
        for zeros in ZEROS
    }


def case_name(rows: int, features: int, outputs: int, zeros: float) -> str:
    """Name of one product."""
    return f"sparse-linear/{rows}x{features}x{outputs}/zeros={zeros:.2f}"


def product(rows: int, features: int, outputs: int, zeros: float) -> Case:
    """Product of x [rows, features] with W [outputs, features] transposed."""
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(rows, features, generator=generator)
    kept = torch.rand(outputs, features, generator=generator) >= zeros
    weight = torch.randn(outputs, features, generator=generator) * kept
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
