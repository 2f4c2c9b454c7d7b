"""Datasets: where they come from, how they are checked, and the types they arrive in."""

from __future__ import annotations

from sparsegnn.data import known
from sparsegnn.data.dataset import NodeDataset
from sparsegnn.data.errors import DataError
from sparsegnn.data.load import load_dataset, load_graph

__all__ = ["DataError", "NodeDataset", "dataset_names", "load_dataset", "load_graph"]


def dataset_names(*, with_split: bool = False) -> tuple[str, ...]:
    """Returns the known names; with `with_split` only those that `load_dataset` can load."""
    return known.PLANETOID if with_split else tuple(known.FILES)
