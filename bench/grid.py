"""The grid: every aggregation on every graph at every width."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from bench.cases import Builders, Case
from bench.graphs import GRAPHS, QUICK_GRAPHS, GraphInput
from bench.inputs import EdgeList
from bench.ops import sddmm, spmm
from bench.schema import Mode

Build = Callable[[EdgeList, int], Case]
QUICK_WIDTHS = (16, 128)
OTHER_WIDTHS = {"sddmm": sddmm.WIDTHS}  # no bar, so two widths will do


def families(full: bool) -> dict[str, Build]:
    """What is measured on the grid, by the first part of the case names."""
    return {
        "spmm": spmm.forward,
        "spmm-bf16": spmm.half_width,
        "spmm-max": spmm.largest,
        "spmm-train": partial(_training, full),
        "sddmm": sddmm.dots,
    }


def cases(mode: Mode) -> Builders:
    """Builders by `family/graph/width=W`, graph by graph, so that few are held at a time."""
    return {
        f"{family}/{graph.name}/width={width}": partial(_named, build, graph, width, family)
        for graph, family, build, width in _cells(mode)
    }


def _cells(mode: Mode) -> Iterator[tuple[GraphInput, str, Build, int]]:
    graphs, widths = (QUICK_GRAPHS, QUICK_WIDTHS) if mode == "quick" else (GRAPHS, spmm.WIDTHS)
    for graph in graphs:
        for family, build in families(mode == "full").items():
            for width in OTHER_WIDTHS.get(family, widths):
                yield graph, family, build, width


def _named(build: Build, graph: GraphInput, width: int, family: str) -> Case:
    return replace(build(graph.load(), width), name=f"{family}/{graph.name}/width={width}")


def _training(full: bool, edges: EdgeList, width: int) -> Case:
    """PyG's rows per arc are left out where they would need minutes and most of the memory."""
    small = edges.weight.numel() * width <= spmm.PYG_TRAINING_LIMIT
    return spmm.training(edges, width, with_pyg=full or small)
