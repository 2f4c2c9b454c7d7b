"""The graphs of the grid: files of `$SPARSEGNN_DATA`, or generated graphs of the same size."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from bench.inputs import EdgeList, power_law, weighted_arcs


@dataclass(frozen=True)
class GraphInput:
    """One graph of the grid.

    Attributes:
        file: Stem of its `.npz` with `edge_index` and `num_nodes`; empty for a generated graph.
        num_nodes: Number of nodes.
        num_edges: Number of arcs.
    """

    file: str
    num_nodes: int
    num_edges: int

    @property
    def name(self) -> str:
        """Name in the report; a stand-in for a missing file is named as such."""
        if not self.file:
            return f"power-law-{self.num_nodes}-{self.num_edges}"
        return self.file if self._path() is not None else f"{self.file}-stand-in"

    def load(self) -> EdgeList:
        """The arcs, kept for the next call.

        Raises:
            ValueError: The file is not the graph that the grid names.
        """
        return _load(self, self._path())

    def _path(self) -> Path | None:
        folder = os.environ.get("SPARSEGNN_DATA")
        if not self.file or not folder:
            return None
        path = Path(folder) / f"{self.file}.npz"
        return path if path.is_file() else None


WEB = GraphInput("uk-2007-05-100000", 100_000, 3_050_615)
DBLP = GraphInput("dblp-2010", 326_186, 1_615_400)
PUBMED = GraphInput("pubmed", 19_717, 88_648)
POWER_LAW = GraphInput("", 170_000, 2_300_000)
GRAPHS = (WEB, DBLP, PUBMED, POWER_LAW)
QUICK_GRAPHS = (WEB, PUBMED)


@lru_cache(maxsize=2)
def _load(graph: GraphInput, path: Path | None) -> EdgeList:
    if path is None:
        made = power_law(graph.num_nodes, graph.num_edges)
        return EdgeList(graph.name, made.edge_index, made.weight, made.num_nodes)
    with np.load(path, allow_pickle=False) as data:
        source, target = data["edge_index"].astype(np.int64)
        num_nodes = int(data["num_nodes"])
    if (num_nodes, source.size) != (graph.num_nodes, graph.num_edges):
        raise ValueError(
            f"{path.name} must hold {graph.num_nodes} nodes and {graph.num_edges} arcs, "
            f"got {num_nodes} and {source.size}."
        )
    return weighted_arcs(graph.file, source, target, num_nodes)
