"""The largest of ten million scores, and the largest entries of every row."""

from __future__ import annotations

from functools import partial

import torch

import sparsegnn as sg
from bench.gpu.bars import OURS
from bench.gpu.sections import Case, Cases
from bench.gpu.setting import Setting
from bench.gpu.timing import compare


def global_cases(setting: Setting) -> Cases:
    """Thresholds that keep a tenth."""
    for count in setting.size((10_000_000,), (5000,)):
        yield f"topk_mask of {count}", partial(threshold_case, setting, count)


def threshold_case(setting: Setting, count: int) -> Case:
    """A mask of the largest tenth."""
    scores = torch.randn(count, device=setting.device)
    k = count // 10
    mask = sg.ops.topk_mask([scores], k)[0]
    if int(mask.sum()) != k or float(scores[mask].min()) < float(scores[~mask].max()):
        raise AssertionError("topk_mask did not select the largest scores")
    runs = {
        OURS: lambda: sg.ops.topk_mask([scores], k),
        "torch.topk": lambda: torch.topk(scores, k, sorted=False),
        "torch.kthvalue": lambda: torch.kthvalue(scores, count - k + 1),
        "torch.sort": lambda: torch.sort(scores),
    }
    return {"scores": count, "k": k, "timings": compare(setting, runs)}


def row_cases(setting: Setting) -> Cases:
    """Rows of 256, as many as Reddit has nodes."""
    rows = setting.size(232_965, 200)
    for k in (8, 16, 32, 64):
        yield f"topk_rows {rows} x 256, k={k}", partial(rows_case, setting, rows, k)


def rows_case(setting: Setting, rows: int, k: int) -> Case:
    """The k largest of every row."""
    x = torch.randn(rows, 256, device=setting.device)
    kept = sg.ops.topk_rows(x, k)
    if not torch.equal(kept.values.sort().values, torch.topk(x, k).values.flip(1)):
        raise AssertionError("topk_rows did not select the largest entries")
    runs = {
        OURS: lambda: sg.ops.topk_rows(x, k),
        "torch.topk": lambda: torch.topk(x, k, sorted=False),
    }
    return {"rows": rows, "k": k, "timings": compare(setting, runs)}
