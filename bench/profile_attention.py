"""What a training step of a graph attention layer is made of, ours and PyG's.

Usage: `python -m bench.profile_attention [--graphs NAME ...] [--threads N] [--out FILE]`. The parts
are timed alone, one after the other, on the inputs of the layer: the fused operator, the dense
projection that both sides share, and the scores of sources and targets. `bound` is the ratio that a
fused operator of no cost would reach. `memory` is the peak of either side, and what ours holds then
in units of one row of all heads per node.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import linear

import sparsegnn as sg
from bench.cases import Case
from bench.environment import describe
from bench.graphs import GRAPHS, PUBMED, GraphInput
from bench.harness import Plan, measure
from bench.memory import held_at_peak, peak_bytes
from bench.ops import gat
from sparsegnn.data.files import write_atomic
from sparsegnn.nn.attention import with_one_loop_each

PLAN = Plan(rounds=9, min_sample_s=0.02, budget_s=8.0, slow_s=0.5)


def profile(graph: GraphInput, heads: int, width: int) -> dict[str, object]:
    """Medians in milliseconds of the layer's step and of its parts."""
    edges = graph.load()
    case = gat.training(edges, heads, width)
    parts = {**case.alternatives, **parts_of(graph, heads, width)}
    found = {name: 1e3 * timing.wall.median for name, timing in measure(parts, PLAN).items()}
    layer, theirs = found[gat.OURS], found[gat.PYG]
    return {
        "graph": graph.name,
        "heads": heads,
        "width": width,
        "milliseconds": found,
        "ratio": theirs / layer,
        "share_of_operator": found["operator"] / layer,
        "share_of_projection": found["projection"] / layer,
        "bound": theirs / (layer - found["operator"]),
        "memory": memory_of(case, edges.num_nodes * heads * width * 4),
    }


def memory_of(case: Case, unit: int) -> dict[str, object]:
    """Peaks in bytes, their ratio, and the tensors of ours that make the peak."""
    peaks = {name: peak_bytes(run) for name, run in case.alternatives.items()}
    held = held_at_peak(case.alternatives[gat.OURS], least=unit // 20)
    return {
        "peak_bytes": peaks,
        "ratio": peaks[gat.PYG] / peaks[gat.OURS],
        "held": [{"units": block.bytes / unit, "operator": block.operator} for block in held],
    }


def parts_of(graph: GraphInput, heads: int, width: int) -> dict[str, Callable[[], object]]:
    """Forward and backward of each part."""
    edges = graph.load()
    n = edges.num_nodes
    pattern = sg.Graph.from_edge_index(edges.edge_index, num_nodes=n)
    looped = with_one_loop_each(pattern, n).graph
    generator = torch.Generator().manual_seed(3)

    def leaf(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).requires_grad_()

    features, weight = leaf(n, gat.IN_CHANNELS), leaf(heads * width, gat.IN_CHANNELS)
    hidden, target, source = leaf(n, heads, width), leaf(n, heads), leaf(n, heads)
    upstream = torch.randn(n, heads, width, generator=generator)
    vectors, both = leaf(2 * heads, heads * width), torch.randn(n, 2 * heads, generator=generator)
    flat = leaf(n, heads * width)
    return {
        "operator": lambda: torch.autograd.grad(
            sg.ops.gat(looped, hidden, target, source), (hidden, target, source), upstream
        ),
        "projection": lambda: torch.autograd.grad(
            linear(features, weight), (features, weight), upstream.view(n, -1)
        ),
        "scores": lambda: torch.autograd.grad(linear(flat, vectors), (flat, vectors), both),
    }


def main(arguments: list[str] | None = None) -> None:
    """Prints the profiles as JSON; writes them with `--out`."""
    parser = argparse.ArgumentParser(prog="python -m bench.profile_attention", description=__doc__)
    parser.add_argument("--graphs", nargs="+", default=[PUBMED.name], help="names of the grid")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    chosen = [graph for graph in GRAPHS if graph.name in options.graphs]
    profiles = [profile(graph, *shape) for graph in chosen for shape in gat.SHAPES]
    text = json.dumps(
        {"environment": describe().model_dump(mode="json"), "profiles": profiles}, indent=1
    )
    print(text)
    if options.out is not None:
        write_atomic(options.out, lambda stream: stream.write(text.encode()))


if __name__ == "__main__":
    main()
