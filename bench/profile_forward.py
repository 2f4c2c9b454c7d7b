"""Where the forward pass of a compiled Cora ticket spends its time, and what binds it.

Usage: `python -m bench.profile_forward [--out FILE]`. The stages of `gcn_hidden` are timed one by
one on the unpruned graph and weights: those pruned to 18.6 / 59.0 % differ by a few percent.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

import sparsegnn as sg
from bench.environment import describe
from sparsegnn.data import load_dataset
from sparsegnn.data.files import write_atomic

HIDDEN, CLASSES, ROUNDS = 512, 7, 60
L1_ROWS = 40  # rows of one panel that fit the L1 cache with room to spare


def median_ms(call: Callable[[], object]) -> float:
    """Median wall time of a call in milliseconds, after a warm-up."""
    for _ in range(5):
        call()
    samples = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        call()
        samples.append((time.perf_counter() - start) * 1e3)
    return statistics.median(samples)


def folded(pattern: sg.Graph) -> sg.Graph:
    """The pattern with its columns folded into the first `L1_ROWS`: the same work, no misses."""
    column, row = pattern.edge_index
    edges = torch.stack([column % L1_ROWS, row])
    folded_pattern = sg.Graph.from_edge_index(
        edges, num_src=pattern.num_src, num_dst=pattern.num_dst
    )
    return folded_pattern.in_storage_order()


def stages() -> dict[str, float]:
    """Milliseconds by stage, and the bytes that the first one gathers."""
    data = load_dataset("cora").row_normalized()
    features = data.x.in_storage_order().pattern
    graph, norm = sg.nn.gcn_norm(data.graph)
    panels = list(sg.ops.pack_panels(torch.randn(features.num_src, HIDDEN)))
    hidden = [torch.randn(graph.num_src, panels[0].shape[1]) for _ in panels]
    scores, scale = torch.randn(graph.num_src, CLASSES), torch.rand(features.num_dst)
    w1, w2 = torch.stack(panels), torch.randn(CLASSES, HIDDEN)

    def fused() -> Tensor:
        indices = (features.rowptr, features.col, None, scale, graph.rowptr, graph.col, norm)
        return torch.ops.sparsegnn.gcn_hidden.default(*indices, w1, None, w2)

    near = folded(features)
    return {
        "X W1": median_ms(lambda: [sg.ops.spmm(features, w) for w in panels]),
        "X W1, gathers in the L1 cache": median_ms(lambda: [sg.ops.spmm(near, w) for w in panels]),
        "relu(A H)": median_ms(lambda: [sg.ops.spmm(graph, h, norm, relu=True) for h in hidden]),
        "fused hidden layer": median_ms(fused),
        "A Z": median_ms(lambda: sg.ops.spmm(graph, scores, norm)),
        "MB gathered by X W1": features.num_edges * HIDDEN * 4 / 1e6,
    }


def main() -> None:
    """Prints the stages for one thread and for all; writes them as JSON with `--out`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=None)
    out = parser.parse_args().out
    torch.set_grad_enabled(False)
    threads = torch.get_num_threads()
    measured = {}
    for count in sorted({1, threads}):
        torch.set_num_threads(count)
        measured[f"{count} threads"] = stages()
    record = {"environment": describe().model_dump(mode="json"), "milliseconds": measured}
    text = json.dumps(record, indent=1)
    print(text)
    if out is not None:
        write_atomic(out, lambda stream: stream.write(text.encode()))


if __name__ == "__main__":
    main()
