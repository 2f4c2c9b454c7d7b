"""Dense features times a weight of kept and absent blocks."""

from __future__ import annotations

from functools import partial

import torch

import sparsegnn as sg
from bench.cases import OURS, Builders, Case
from bench.peers import weights

SHAPES = ((20_000, 512, 512), (20_000, 1024, 1024))
BLOCKS = (16, 32, 64)
ZEROS = (0.50, 0.90)
QUICK = ((20_000, 512, 512), 32, 0.90)


def cases(quick: bool) -> Builders:
    """Every shape, block and sparsity; one of each in a quick run."""
    if quick:
        shape, block, zeros = QUICK
        return {case_name(*shape, block, zeros): partial(product, *shape, block, zeros)}
    return {
        case_name(*shape, block, zeros): partial(product, *shape, block, zeros)
        for shape in SHAPES
        for block in BLOCKS
        for zeros in ZEROS
    }


def case_name(rows: int, features: int, outputs: int, block: int, zeros: float) -> str:
    """Name of one product."""
    return f"block-linear/{rows}x{features}x{outputs}/block={block}/zeros={zeros:.2f}"


def product(rows: int, features: int, outputs: int, block: int, zeros: float) -> Case:
    """Product of x [rows, features] with W [outputs, features] transposed."""
    generator = torch.Generator().manual_seed(6)
    x = torch.randn(rows, features, generator=generator)
    kept = torch.rand(outputs // block, features // block, generator=generator) >= zeros
    mask = kept.repeat_interleave(block, 0).repeat_interleave(block, 1)
    weight = torch.randn(outputs, features, generator=generator) * mask
    blocks = sg.BlockWeight.from_dense(weight, block, mask).requires_grad_(False)
    entries = sg.SparseWeight.from_dense(weight).requires_grad_(False)
    return Case(
        name=case_name(rows, features, outputs, block, zeros),
        alternatives={
            OURS: lambda: sg.ops.block_linear(x, blocks),
            f"{OURS}, entry by entry": lambda: sg.ops.sparse_linear(x, entries),
            "dense": weights.dense(x, weight),
            "torch.sparse BSR(W) x^T": weights.bsr_left(x, weight, block),
        },
        params={"rows": rows, "in": features, "out": outputs, "block": block, "zeros": zeros},
        reference=lambda: (x.double() @ weight.double().t(),),
    )
