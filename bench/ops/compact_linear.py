"""Dense features times a weight of which whole rows and columns are dead."""

from __future__ import annotations

from functools import partial

import torch

import sparsegnn as sg
from bench.cases import OURS, Builders, Case
from bench.peers import weights

SHAPES = ((20_000, 512, 512), (20_000, 1024, 1024))
KEPT = (0.25, 0.50)  # of the rows, and of the columns


def cases(quick: bool) -> Builders:
    """Every shape and share; one of each in a quick run."""
    shapes, kept = (SHAPES[:1], KEPT[:1]) if quick else (SHAPES, KEPT)
    return {
        case_name(*shape, share): partial(product, *shape, share)
        for shape in shapes
        for share in kept
    }


def case_name(rows: int, features: int, outputs: int, kept: float) -> str:
    """Name of one product."""
    return f"compact-linear/{rows}x{features}x{outputs}/kept={kept:.2f}"


def product(rows: int, features: int, outputs: int, kept: float) -> Case:
    """Product of x [rows, features] with W [outputs, features] transposed."""
    generator = torch.Generator().manual_seed(9)
    x = torch.randn(rows, features, generator=generator)
    alive = (
        torch.randperm(size, generator=generator) < int(kept * size) for size in (outputs, features)
    )
    row, column = alive
    weight = torch.randn(outputs, features, generator=generator) * (row.unsqueeze(1) & column)
    compact = sg.CompactWeight.from_dense(weight).requires_grad_(False)
    return Case(
        name=case_name(rows, features, outputs, kept),
        alternatives={
            OURS: lambda: sg.ops.compact_linear(x, compact),
            "dense": weights.dense(x, weight),
        },
        params={"rows": rows, "in": features, "out": outputs, "kept": kept},
        reference=lambda: (x.double() @ weight.double().t(),),
        note="The result has all outputs, the dead ones zero.",
    )
