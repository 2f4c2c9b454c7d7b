"""Synthetic graphs of published sizes, made on the device that will use them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

import sparsegnn as sg
from bench.gpu.setting import Setting
from sparsegnn.graph import CsrTensors

EXPONENT = 0.6


@dataclass(frozen=True)
class Shape:
    """A graph's counts; edges are drawn from a power law of the node ids, then shuffled."""

    name: str
    nodes: int
    edges: int


SHAPES = (
    Shape("arxiv", 169_343, 2_315_598),
    Shape("reddit", 232_965, 114_615_892),
    Shape("products", 2_449_029, 61_859_140),  # each pair once: half of the published arcs
    Shape("uk-2007-05-100000", 100_000, 3_050_615),
    Shape("dblp-2010", 326_186, 1_615_400),
    Shape("pubmed", 19_717, 88_648),
    Shape("power-law", 170_000, 2_300_000),
)
TINY = (Shape("tiny", 300, 4000), Shape("tiny-sparse", 500, 900))


def shapes(setting: Setting) -> tuple[Shape, ...]:
    """The shapes of the aggregation grid."""
    return setting.size(SHAPES, TINY)


def arxiv(setting: Setting) -> Shape:
    """The shape of the single-graph sections."""
    return shapes(setting)[0]


def _ends(shape: Shape, generator: torch.Generator) -> Tensor:
    device = generator.device
    weight = (torch.arange(shape.nodes, device=device, dtype=torch.float64) + 10.0) ** -EXPONENT
    cumulative = (weight / weight.sum()).cumsum(0)
    uniform = torch.rand(shape.edges, generator=generator, device=device, dtype=torch.float64)
    drawn = torch.searchsorted(cumulative, uniform).clamp_(max=shape.nodes - 1)
    return torch.randperm(shape.nodes, generator=generator, device=device)[drawn]


def _offsets(sorted_rows: Tensor, rows: int) -> Tensor:
    places = torch.arange(rows + 1, device=sorted_rows.device)
    return torch.searchsorted(sorted_rows, places).to(torch.int32)


def make_graph(shape: Shape, setting: Setting) -> sg.Graph:
    """The graph with int32 indices, edges numbered in storage order."""
    generator = torch.Generator(setting.device).manual_seed(0)
    source, target = _ends(shape, generator), _ends(shape, generator)
    key = (target * shape.nodes + source).sort().values
    target, source = key // shape.nodes, key % shape.nodes
    order = (source * shape.nodes + target).argsort(stable=True)
    return sg.Graph(
        CsrTensors(
            _offsets(target, shape.nodes),
            source.to(torch.int32),
            None,
            _offsets(source[order], shape.nodes),
            target[order].to(torch.int32),
            order.to(torch.int32),
        )
    )


def graphs(setting: Setting) -> Iterator[tuple[Shape, sg.Graph]]:
    """Every shape with its graph, one at a time."""
    for shape in shapes(setting):
        yield shape, make_graph(shape, setting)
