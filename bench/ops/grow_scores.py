"""The inactive weights with the largest gradients, as RigL grows them."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

import sparsegnn as sg
from bench.cases import OURS, Builders, Case, MismatchError

SHAPES = ((2048, 1024, 4096), (2048, 4096, 4096))  # rows of x, inputs, outputs
DENSITY = 0.10
GROWN = 0.03  # of all weights


def cases(quick: bool) -> Builders:
    """Every shape; the smaller one in a quick run."""
    shapes = SHAPES[:1] if quick else SHAPES
    return {case_name(*shape): partial(selection, *shape) for shape in shapes}


def case_name(rows: int, inputs: int, outputs: int) -> str:
    """Name of one selection."""
    return f"grow-scores/{rows}x{inputs}x{outputs}"


def selection(rows: int, inputs: int, outputs: int) -> Case:
    """Positions of the best; the magnitudes chosen by both alternatives are compared here."""
    generator = torch.Generator().manual_seed(8)
    # Few bits: the sums are exact, whatever their order.
    x, dy = (
        torch.randint(-8, 9, (rows, width), generator=generator) / 8 for width in (inputs, outputs)
    )
    active = torch.rand(outputs, inputs, generator=generator) < DENSITY
    k = int(GROWN * active.numel())

    def ours() -> Tensor:
        return sg.ops.grow_scores_topk(x, dy, active, k)

    def dense() -> Tensor:
        scores = (dy.t() @ x).abs_().masked_fill_(active, -1.0)
        return torch.topk(scores.view(-1), k, sorted=False).indices

    magnitudes = (dy.t() @ x).abs_().view(-1)
    if not torch.equal(magnitudes[ours()].sort().values, magnitudes[dense()].sort().values):
        raise MismatchError("grow-scores: the alternatives choose other magnitudes.")
    return Case(
        name=case_name(rows, inputs, outputs),
        alternatives={OURS: ours, "dense gradient and torch.topk": dense},
        params={"rows": rows, "in": inputs, "out": outputs, "k": k, "density": DENSITY},
        memory=True,
        note="Equal magnitudes: ours takes the lowest position, torch.topk any.",
    )
