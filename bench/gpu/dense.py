"""Dense products of a layer's size, and layers with sparse weights beside them."""

from __future__ import annotations

from functools import partial

import torch

import sparsegnn as sg
from bench.gpu.bars import OURS
from bench.gpu.sections import Case, Cases
from bench.gpu.setting import Setting
from bench.gpu.timing import compare, median


def cases(setting: Setting) -> Cases:
    """Square layers over arxiv's nodes: dense in two dtypes, then pruned."""
    nodes = setting.size(169_343, 100)
    for width in setting.size((128, 256, 512), (16,)):
        yield f"dense layer {width}", partial(dense_case, setting, nodes, width)
        for sparsity in (0.9, 0.99):
            name = f"sparse layer {width}, {sparsity:.0%} pruned"
            yield name, partial(sparse_case, setting, nodes, width, sparsity)


def dense_case(setting: Setting, nodes: int, width: int) -> Case:
    """A dense product; a rate near the copy bandwidth says that pruning the weight cannot pay."""
    x, weight = (
        torch.randn(n, width, device=setting.device, dtype=torch.float32) for n in (nodes, width)
    )
    half, half_weight = x.bfloat16(), weight.bfloat16()
    runs = {"float32": lambda: x @ weight, "bfloat16": lambda: half @ half_weight}
    timings = compare(setting, runs)
    return {
        "width": width,
        "nodes": nodes,
        "gb_per_s_float32": 8 * x.numel() / median(timings, "float32") / 1e9,
        "gb_per_s_bfloat16": 4 * x.numel() / median(timings, "bfloat16") / 1e9,
        "timings": timings,
    }


def sparse_case(setting: Setting, nodes: int, width: int, sparsity: float) -> Case:
    """A layer with pruned weights beside the dense layer."""
    dense = torch.randn(width, width) * (torch.rand(width, width) >= sparsity)
    weight = sg.SparseWeight.from_dense(dense).to(setting.device)
    x = torch.randn(nodes, width, device=setting.device)
    masked = dense.to(setting.device)
    expected = x.double() @ masked.double().t()
    apart = float((sg.ops.sparse_linear(x, weight).detach().double() - expected).abs().max())
    if apart > 1e-3 * float(expected.abs().max()) + 1e-6:
        raise AssertionError(f"sparse_linear is off by {apart:.2e}")
    runs = {
        OURS: lambda: sg.ops.sparse_linear(x, weight).detach(),
        "dense": lambda: torch.nn.functional.linear(x, masked),
    }
    return {"width": width, "sparsity": sparsity, "timings": compare(setting, runs)}
