"""What the memory system of the GPU gives: the yardstick for every other number."""

from __future__ import annotations

from collections.abc import Iterator

import torch

import sparsegnn as sg
from bench.gpu.timing import compare, median

Case = dict[str, object]

FOOTPRINTS_MB = (10, 20, 40, 60, 80, 120)
GATHERED_ROWS = 1 << 21
ROWS_PER_SUM = 32


def copy_cases() -> Iterator[Case]:
    """Device-to-device copy of 1 GiB, bytes read plus bytes written."""
    source = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    timings = compare({"copy": lambda: target.copy_(source)})
    rate = 2 * source.numel() / median(timings, "copy")
    yield {"case": "copy", "timings": timings, "gb_per_s": rate / 1e9}


def gather_case(rowptr: torch.Tensor, footprint_mb: int, row_bytes: int) -> Case:
    """Random rows of one table, summed 32 at a time by spmm itself."""
    table_rows = footprint_mb * 1_000_000 // row_bytes
    col = torch.randint(0, table_rows, (GATHERED_ROWS,))
    graph = sg.Graph.from_csr(rowptr, col, table_rows).to("cuda")
    x = torch.randn(table_rows, row_bytes // 4, device="cuda")
    timings = compare({"gather": lambda: sg.ops.spmm(graph, x)}, rounds=5)
    return {
        "case": "row gather",
        "footprint_mb": footprint_mb,
        "row_bytes": row_bytes,
        "timings": timings,
        "gb_per_s": GATHERED_ROWS * row_bytes / median(timings, "gather") / 1e9,
    }


def gather_cases() -> Iterator[Case]:
    """Random row gathers from tables of growing size.

    Writes are one 32nd of the reads, so the rate is what an aggregation can reach when its features
    have that footprint.
    """
    rowptr = torch.arange(0, GATHERED_ROWS + 1, ROWS_PER_SUM)
    for footprint_mb in FOOTPRINTS_MB:
        for row_bytes in (64, 256, 512):
            yield gather_case(rowptr, footprint_mb, row_bytes)
