"""Top-k rows times sparse weights: forward, and a training step."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

import sparsegnn as sg
from bench.cases import OURS, Builders, Case, Outputs
from bench.inputs import distinct_rows
from bench.peers import sparse_products

ROWS = (20_000, 170_000)
WIDTHS = (128, 256)
KEPT = (8, 32)
ZEROS = (0.90, 0.95)
OUTPUTS = (64, 256)
CSR_PEER = "scipy CSR @ CSR (1 thread)"
CSR_OURS = f"{OURS} into CSR"


def cases(quick: bool) -> Builders:
    """Every size; only the largest in a quick run."""
    sizes = [
        (n, width, k, outputs, zeros)
        for n in (ROWS[-1:] if quick else ROWS)
        for width in (WIDTHS[-1:] if quick else WIDTHS)
        for k in KEPT
        for outputs in (OUTPUTS[-1:] if quick else OUTPUTS)
        for zeros in ZEROS
    ]
    forward = {case_name("spgemm", *size): partial(product, *size) for size in sizes}
    return forward | {
        case_name("spgemm-train", *size): partial(training, *size) for size in sizes[-2:]
    }


def case_name(kind: str, rows: int, width: int, k: int, outputs: int, zeros: float) -> str:
    """Name of one product."""
    return f"{kind}/{rows}x{width}x{outputs}/k={k}/zeros={zeros:.2f}"


def product(rows: int, width: int, k: int, outputs: int, zeros: float) -> Case:
    """Product of top-k rows [rows, width] with a sparse weight [width, outputs]."""
    x, weight = _operands(rows, width, outputs, zeros)
    left, right = sg.ops.topk_rows(x, k), sg.SparseMatrix.from_dense(weight)
    csr_csr = sparse_products.scipy_csr_csr(left, weight)

    def csr_ours() -> Outputs:
        return sg.ops.spgemm(left, right, out="csr").csr_arrays()

    def exact() -> Tensor:
        return left.to_dense().double() @ weight.double()

    return Case(
        name=case_name("spgemm", rows, width, k, outputs, zeros),
        alternatives={
            OURS: lambda: sg.ops.spgemm(left, right),
            CSR_OURS: csr_ours,
            CSR_PEER: csr_csr,
            "scipy CSR @ dense (1 thread)": sparse_products.scipy_csr_dense(left, weight),
            "torch dense": lambda: left.to_dense() @ weight,
        },
        params=_params(rows, width, k, outputs, zeros),
        reference=lambda: (exact(),),
        references={
            CSR_PEER: lambda: sparse_products.at_places(exact(), csr_csr()),
            CSR_OURS: lambda: sparse_products.at_places(exact(), csr_ours()),
        },
        note="CSR @ CSR gives CSR with unsorted columns, ours into CSR sorted ones; all others, "
        "the first of ours too, a dense matrix.",
    )


def training(rows: int, width: int, k: int, outputs: int, zeros: float) -> Case:
    """Selection, product, and the gradients of x and of the weight's kept entries."""
    x, weight = _operands(rows, width, outputs, zeros)
    upstream = torch.randn(rows, outputs, generator=torch.Generator().manual_seed(8))
    pattern = sg.SparseMatrix.from_dense(weight)
    inputs, values = x.clone().requires_grad_(), pattern.values.clone().requires_grad_()

    def ours() -> Outputs:
        y = sg.ops.spgemm(sg.ops.topk_rows(inputs, k), sg.SparseMatrix(pattern.pattern, values))
        return y.detach(), *torch.autograd.grad(y, (inputs, values), upstream)

    return Case(
        name=case_name("spgemm-train", rows, width, k, outputs, zeros),
        alternatives={
            OURS: ours,
            "torch dense": sparse_products.dense_gradients(x, weight, k, upstream),
        },
        params=_params(rows, width, k, outputs, zeros),
        reference=lambda: _exact(x, weight, k, upstream),
        note="scipy has no gradient.",
    )


def _operands(rows: int, width: int, outputs: int, zeros: float) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(7)
    x = distinct_rows(rows, width, generator)
    kept = torch.rand(width, outputs, generator=generator) >= zeros
    return x, torch.randn(width, outputs, generator=generator) * kept


def _params(
    rows: int, width: int, k: int, outputs: int, zeros: float
) -> dict[str, str | int | float | bool]:
    return {"rows": rows, "width": width, "k": k, "out": outputs, "zeros": zeros}


def _exact(x: Tensor, weight: Tensor, k: int, upstream: Tensor) -> Outputs:
    run = sparse_products.dense_gradients(x.double(), weight.double(), k, upstream.double())
    return run()
