from __future__ import annotations

from pathlib import Path

import numpy as np
import planetoid_streams as streams
import pytest

from sparsegnn.data.errors import DataError
from sparsegnn.data.planetoid import PARTS, planetoid_content
from sparsegnn.data.pyg import read_raw_folder


def test_tiny_dataset_by_hand() -> None:
    content = planetoid_content(streams.tiny_files())
    assert content.num_nodes == 9
    assert content.edge_index.T.tolist() == [[0, 1], [0, 2], [1, 0], [2, 0], [6, 8], [8, 6]]
    dense = content.features.toarray()
    assert dense.shape == (9, 5)
    assert dense[8].tolist() == [7, 0, 0, 0, 0]
    assert dense[6].tolist() == [0, 8, 0, 0, 0]
    assert not dense[7].any()
    assert content.labels.tolist() == [0, 1, 2, 0, 1, 2, 1, 0, 2]
    assert np.flatnonzero(content.splits["train_mask"]).tolist() == [0, 1]
    assert np.flatnonzero(content.splits["val_mask"]).tolist() == [2, 3, 4, 5, 6, 7, 8]
    assert np.flatnonzero(content.splits["test_mask"]).tolist() == [6, 8]


def _with(name: str, data: bytes) -> dict[str, bytes]:
    return {**streams.tiny_files(), name: data}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("test.index", b"8\n"),
        ("test.index", b"8\n8\n"),
        ("test.index", b"7\n8\n"),
        ("test.index", b"6\n1000000000000\n"),
        ("test.index", b"6\nx\n"),
        ("test.index", b""),
        ("graph", streams.stream(streams.graph({0: [9]}))),
        ("graph", streams.stream(streams.graph({-1: [0]}))),
        ("graph", streams.stream(streams.array(np.zeros(3, dtype=np.int32)))),
        ("allx", streams.stream(streams.array(np.zeros((6, 5), dtype=np.float32)))),
        ("ally", streams.stream(streams.array(np.zeros(6, dtype=np.int32)))),
        ("ally", streams.stream(streams.array(np.zeros((5, 3), dtype=np.int32)))),
        ("ty", b"\x80\x02cos\nsystem\nU\x04true\x85R."),
    ],
)
def test_damaged_file_is_one_data_error(name: str, data: bytes) -> None:
    with pytest.raises(DataError) as caught:
        planetoid_content(_with(name, data))
    assert "\n" not in str(caught.value)


def test_raw_folder_names_the_missing_file(tmp_path: Path) -> None:
    for part, data in streams.tiny_files().items():
        (tmp_path / f"ind.tiny.{part}").write_bytes(data)
    assert read_raw_folder(tmp_path, "tiny").num_nodes == 9
    (tmp_path / "ind.tiny.ty").unlink()
    with pytest.raises(DataError, match=r"ind\.tiny\.ty"):
        read_raw_folder(tmp_path, "tiny")


def test_every_part_is_needed() -> None:
    assert set(streams.tiny_files()) == set(PARTS)
