from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_npz import save, tiny_arrays

from sparsegnn.data.content import canonical
from sparsegnn.data.errors import DataError
from sparsegnn.data.npz import read_npz, write_npz


def test_round_trip_keeps_the_content_hash(tmp_path: Path) -> None:
    content = read_npz(save(tmp_path / "tiny.npz", tiny_arrays()))
    write_npz(tmp_path / "again.npz", content, {"name": "tiny"})
    assert read_npz(tmp_path / "again.npz").sha256() == content.sha256()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.npz", "tiny.npz"]


def test_graph_alone(tmp_path: Path) -> None:
    arrays = {key: tiny_arrays()[key] for key in ("edge_index", "num_nodes")}
    content = read_npz(save(tmp_path / "graph.npz", arrays))
    assert content.features is None and content.labels is None and content.splits is None


def _without(key: str) -> dict[str, Any]:
    return {name: value for name, value in tiny_arrays().items() if name != key}


BROKEN = {
    "edge_index missing": _without("edge_index"),
    "num_nodes missing": _without("num_nodes"),
    "features incomplete": _without("x_indptr"),
    "split incomplete": _without("val_mask"),
    "node id too large": tiny_arrays() | {"num_nodes": np.int64(11)},
    "node id negative": tiny_arrays() | {"edge_index": np.array([[0, -1], [1, 2]])},
    "edge_index float": tiny_arrays() | {"edge_index": np.zeros((2, 3))},
    "edge_index flat": tiny_arrays() | {"edge_index": np.zeros(6, dtype=np.int64)},
    "edge_index of objects": tiny_arrays() | {"edge_index": np.array([[0], [None]], dtype=object)},
    "num_nodes a vector": tiny_arrays() | {"num_nodes": np.array([12])},
    "x_data NaN": tiny_arrays() | {"x_data": np.full(30, np.nan, dtype=np.float32)},
    "x_data text": tiny_arrays() | {"x_data": np.array(["a"] * 30)},
    "x_indices out of range": tiny_arrays() | {"x_indices": np.full(30, 5)},
    "x_indptr decreasing": tiny_arrays() | {"x_indptr": np.arange(13)[::-1].copy()},
    "x_shape of one": tiny_arrays() | {"x_shape": np.array([12])},
    "x_shape other rows": tiny_arrays() | {"x_shape": np.array([13, 5])},
    "y too short": tiny_arrays() | {"y": np.zeros(3, dtype=np.int16)},
    "y float": tiny_arrays() | {"y": np.zeros(12)},
    "mask of ints": tiny_arrays() | {"test_mask": np.ones(12, dtype=np.int8)},
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_file_is_one_sentence(tmp_path: Path, case: str) -> None:
    path = save(tmp_path / "broken.npz", BROKEN[case])
    with pytest.raises(DataError) as caught:
        read_npz(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_npz(tmp_path / "none.npz")


@given(st.floats(0, 1, exclude_max=True))
def test_truncated_file_is_refused(tmp_path_factory: pytest.TempPathFactory, part: float) -> None:
    folder = tmp_path_factory.mktemp("cut")
    whole = save(folder / "whole.npz", tiny_arrays()).read_bytes()
    (folder / "cut.npz").write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(DataError):
        read_npz(folder / "cut.npz")


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_flipped_byte_never_changes_the_content_unnoticed(
    tmp_path_factory: pytest.TempPathFactory, position: int, flip: int
) -> None:
    folder = tmp_path_factory.mktemp("flip")
    whole = bytearray(save(folder / "whole.npz", tiny_arrays()).read_bytes())
    expected = read_npz(folder / "whole.npz").sha256()
    whole[position % len(whole)] ^= flip
    (folder / "flip.npz").write_bytes(whole)
    try:
        content = read_npz(folder / "flip.npz")
    except DataError:
        return
    parts = (content.features, content.labels, content.splits)
    assert any(part is None for part in parts) or content.sha256() == expected


def test_a_file_that_is_not_an_archive(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(DataError, match="damaged or not an npz file"):
        read_npz(tmp_path / "text.npz")


@given(st.randoms(use_true_random=False))
def test_content_hash_ignores_the_order_of_edges(random: Any) -> None:
    edges = tiny_arrays()["edge_index"]
    order = list(range(edges.shape[1]))
    random.shuffle(order)
    assert canonical(edges[:, order], 12).sha256() == canonical(edges, 12).sha256()


def test_content_hash_sees_every_array(tmp_path: Path) -> None:
    hashes = {read_npz(save(tmp_path / "base.npz", tiny_arrays())).sha256()}
    arrays = tiny_arrays()
    changed = [
        {"num_nodes": np.int64(12), "edge_index": arrays["edge_index"][:, 1:]},
        {"x_data": arrays["x_data"] + 1},
        {"x_shape": np.array([12, 6])},
        {"y": arrays["y"][::-1].copy()},
        {"train_mask": arrays["val_mask"], "val_mask": arrays["train_mask"]},
    ]
    for index, change in enumerate(changed):
        path = save(tmp_path / f"{index}.npz", arrays | change)
        hashes.add(read_npz(path).sha256())
    assert len(hashes) == len(changed) + 1
