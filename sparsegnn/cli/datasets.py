"""`sparsegnn datasets`: the known datasets and where each can be had."""

from __future__ import annotations

import warnings

from rich import box
from rich.console import Console
from rich.table import Table

from sparsegnn.data import known
from sparsegnn.data.content import Content
from sparsegnn.data.errors import DataError
from sparsegnn.data.npz import read_npz
from sparsegnn.data.sources import cache_folder, data_folder


def run_datasets(console: Console) -> None:
    """Prints one line per dataset; nothing is downloaded."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("name", no_wrap=True)
    for name in ("nodes", "edges", "features", "classes"):
        table.add_column(name, justify="right")
    table.add_column("split")
    table.add_column("where")
    for name in known.FILES:
        table.add_row(name, *_row(name))
    console.print(table)
    console.print("prune needs features, labels and a split; the path of an npz file works too.")


def _row(name: str) -> list[str]:
    found = _find(name)
    if found is None:
        where = "downloaded on first use" if name in known.PLANETOID else "not here"
        return ["", "", "", "", "public" if name in known.PLANETOID else "", where]
    content, where = found
    columns = "" if content.features is None else f"{content.features.shape[1]:,}"
    classes = "" if content.labels is None else str(int(content.labels.max()) + 1)
    split = "" if content.splits is None else "public"
    edges = content.edge_index.shape[1]
    return [f"{content.num_nodes:,}", f"{edges:,}", columns, classes, split, where]


def _find(name: str) -> tuple[Content, str] | None:
    for folder in (data_folder(), cache_folder()):
        if folder is None or not (folder / f"{name}.npz").is_file():
            continue
        try:
            return read_npz(folder / f"{name}.npz"), str(folder)
        except DataError as error:
            warnings.warn(str(error), stacklevel=2)
    return None
