"""The k largest entries of every row."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

import sparsegnn as sg
from bench.cases import OURS, Builders, Case
from bench.inputs import distinct_rows

ROWS = (20_000, 170_000)
WIDTHS = (128, 256)
KEPT = (8, 32)


def cases(quick: bool) -> Builders:
    """Every size; only the largest rows in a quick run."""
    rows, widths = (ROWS[-1:], WIDTHS[-1:]) if quick else (ROWS, WIDTHS)
    return {
        case_name(n, width, k): partial(selection, n, width, k)
        for n in rows
        for width in widths
        for k in KEPT
    }


def case_name(rows: int, width: int, k: int) -> str:
    """Name of one selection."""
    return f"topk-rows/{rows}x{width}/k={k}"


def selection(rows: int, width: int, k: int) -> Case:
    """Values of the k largest entries of x [rows, width], in the order of their columns."""
    x = distinct_rows(rows, width, torch.Generator().manual_seed(6))

    def by_sort() -> tuple[Tensor]:
        columns = x.double().argsort(dim=1, descending=True, stable=True)[:, :k]
        return (x.double().gather(1, columns.sort(dim=1).values),)

    return Case(
        name=case_name(rows, width, k),
        alternatives={
            OURS: lambda: sg.ops.topk_rows(x, k).values,
            "torch.topk": lambda: torch.topk(x, k, dim=1, sorted=False).values,
            "torch.topk, by column": lambda: _by_column(x, k),
        },
        params={"rows": rows, "width": width, "k": k},
        reference=by_sort,
        references={"torch.topk": lambda: (torch.topk(x, k, dim=1, sorted=False).values,)},
        tolerance=0.0,
        note="torch.topk alone gives the entries in any order.",
    )


def _by_column(x: Tensor, k: int) -> Tensor:
    return x.gather(1, torch.topk(x, k, dim=1, sorted=False).indices.sort(dim=1).values)
