from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

import pytest

from sparsegnn.data.files import sha256_file, write_atomic


def test_checksum_of_more_than_one_chunk(tmp_path: Path) -> None:
    data = b"0123456789abcdef" * 100_000
    (tmp_path / "file").write_bytes(data)
    assert sha256_file(tmp_path / "file") == hashlib.sha256(data).hexdigest()


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, lambda stream: stream.write(b"old"))

    def fail(stream: BinaryIO) -> None:
        stream.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomic(path, fail)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_folder_is_created(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a" / "b" / "file", lambda stream: stream.write(b"x"))
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"x"
