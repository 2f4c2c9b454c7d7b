from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_npz import save, tiny_arrays

from sparsegnn.data import DataError, NodeDataset, dataset_names, known, load_dataset, load_graph

needs_folder = pytest.mark.skipif(
    "SPARSEGNN_DATA" not in os.environ, reason="SPARSEGNN_DATA is not set"
)


@pytest.fixture
def tiny(tmp_path: Path) -> NodeDataset:
    return load_dataset(str(save(tmp_path / "tiny.npz", tiny_arrays())))


def test_tiny(tiny: NodeDataset) -> None:
    assert (tiny.name, tiny.num_nodes, tiny.num_features, tiny.num_classes) == ("tiny", 12, 5, 3)
    assert tiny.edge_index.dtype == torch.int64
    arrays = tiny_arrays()
    expected = np.zeros((12, 5), dtype=np.float32)
    for row in range(12):
        begin, end = arrays["x_indptr"][row], arrays["x_indptr"][row + 1]
        expected[row, arrays["x_indices"][begin:end]] = arrays["x_data"][begin:end]
    assert np.array_equal(tiny.x.to_dense().numpy(), expected)


def test_row_normalized(tiny: NodeDataset) -> None:
    dense = tiny.x.to_dense()
    norm = dense.abs().sum(1, keepdim=True)
    expected = torch.where(norm > 0, dense / norm, torch.zeros_like(dense))
    torch.testing.assert_close(tiny.row_normalized().x.to_dense(), expected)
    torch.testing.assert_close(tiny.x.to_dense(), dense)


def test_row_without_features_stays_zero(tmp_path: Path) -> None:
    arrays = tiny_arrays()
    arrays["x_data"] = np.zeros_like(arrays["x_data"])
    data = load_dataset(str(save(tmp_path / "zero.npz", arrays))).row_normalized()
    assert not data.x.to_dense().any()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"y": torch.zeros(12)}, TypeError, "y must be torch.int64"),
        ({"y": torch.zeros(3, dtype=torch.int64)}, ValueError, "y must have shape"),
        ({"y": torch.full((12,), -1)}, ValueError, r"y must be in \[0, 3\)"),
        ({"y": torch.full((12,), 3)}, ValueError, r"y must be in \[0, 3\)"),
        ({"train_mask": torch.ones(12)}, TypeError, "train_mask must be torch.bool"),
        ({"train_mask": torch.ones(12, dtype=torch.bool)}, ValueError, "disjoint.*node 4"),
        ({"test_mask": torch.zeros(12, dtype=torch.bool)}, ValueError, "test_mask must keep"),
        ({"val_mask": torch.ones(1, dtype=torch.bool)}, ValueError, "val_mask must have shape"),
        ({"num_classes": 0}, ValueError, "num_classes must be >= 1"),
    ],
)
def test_invalid_field(
    tiny: NodeDataset, change: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        replace(tiny, **change)


def test_features_must_fit_and_be_finite(tiny: NodeDataset, tmp_path: Path) -> None:
    other = load_dataset(str(save(tmp_path / "other.npz", tiny_arrays(num_nodes=13))))
    with pytest.raises(ValueError, match="x must have 12 rows, got 13"):
        replace(tiny, x=other.x)
    nan = type(tiny.x)(tiny.x.pattern, torch.full_like(tiny.x.values, float("nan")))
    with pytest.raises(ValueError, match="x must be finite"):
        replace(tiny, x=nan)


def test_overlapping_split_in_a_file_is_one_sentence(tmp_path: Path) -> None:
    arrays = tiny_arrays()
    arrays["val_mask"] = arrays["train_mask"]
    path = save(tmp_path / "leak.npz", arrays)
    with pytest.raises(DataError, match="dataset 'leak': the masks must be disjoint"):
        load_dataset(str(path))


def test_dataset_without_a_split(tmp_path: Path) -> None:
    arrays = {key: tiny_arrays()[key] for key in ("edge_index", "num_nodes")}
    path = str(save(tmp_path / "graph.npz", arrays))
    assert load_graph(path).num_edges == 24
    with pytest.raises(DataError, match="no features, labels or public split"):
        load_dataset(path)


def test_names() -> None:
    assert dataset_names(with_split=True) == ("cora", "citeseer", "pubmed")
    assert set(dataset_names(with_split=True)) < set(dataset_names())


@needs_folder
@pytest.mark.parametrize(
    ("name", "nodes", "edges", "features", "classes", "train"),
    [
        ("cora", 2708, 10556, 1433, 7, 140),
        ("citeseer", 3327, 9104, 3703, 6, 120),
        ("pubmed", 19717, 88648, 500, 3, 60),
    ],
)
def test_published_numbers(
    name: str, nodes: int, edges: int, features: int, classes: int, train: int
) -> None:
    data = load_dataset(name)
    assert (data.num_nodes, data.graph.num_edges) == (nodes, edges)
    assert (data.num_features, data.num_classes) == (features, classes)
    assert (data.source, data.content_sha256) == ("SPARSEGNN_DATA", known.CONTENT[name])
    counts = [int(mask.sum()) for mask in (data.train_mask, data.val_mask, data.test_mask)]
    assert counts == [train, 500, 1000]


@needs_folder
def test_graph_with_self_loops_and_a_hub() -> None:
    graph = load_graph("uk-2007-05-100000")
    assert (graph.num_nodes, graph.num_edges) == (100_000, 3_050_615)
