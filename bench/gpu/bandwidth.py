"""What the memory system of the device gives: the yardstick for every other number."""

from __future__ import annotations

from functools import partial

import torch

from bench.gpu.gather_kernel import gather
from bench.gpu.sections import Case, Cases
from bench.gpu.setting import Setting
from bench.gpu.timing import compare, median

FOOTPRINTS_MB = (10, 20, 30, 40, 50, 60, 80, 120, 500, 2000)
ROW_BYTES = (64, 128, 256, 512)
GATHERED_BYTES = 1 << 31


def cases(setting: Setting) -> Cases:
    """Copy, then random row gathers from tables of growing size."""
    yield "copy", partial(copy_case, setting)
    for row_bytes in ROW_BYTES:
        for footprint in setting.size(FOOTPRINTS_MB, (1, 2)):
            name = f"gather of {row_bytes} B from {footprint} MB"
            yield name, partial(gather_case, setting, footprint * 1_000_000, row_bytes)


def copy_case(setting: Setting) -> Case:
    """Device-to-device copy, bytes read plus bytes written."""
    source = torch.randint(255, (setting.size(1 << 30, 1 << 20),), device=setting.device).to(
        torch.uint8
    )
    target = torch.empty_like(source)
    timings = compare(setting, {"copy": lambda: target.copy_(source)})
    return {"timings": timings, "bytes_per_s": 2 * source.numel() / median(timings, "copy")}


def gather_case(setting: Setting, footprint: int, row_bytes: int) -> Case:
    """Random rows of one table."""
    rows = footprint // row_bytes
    count = setting.size(GATHERED_BYTES // row_bytes, 4096) // 8 * 8
    table = torch.randn(rows, row_bytes // 4, device=setting.device)
    ids = torch.randint(rows, (count,), device=setting.device, dtype=torch.int32)
    timings = compare(setting, {"gather": gather(table, ids, setting)}, rounds=3)
    return {
        "footprint_bytes": rows * row_bytes,
        "row_bytes": row_bytes,
        "timings": timings,
        "bytes_per_s": count * row_bytes / median(timings, "gather"),
    }
