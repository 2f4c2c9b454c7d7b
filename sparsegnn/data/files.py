"""Whole-file helpers: checksums, and writes that are either complete or absent."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

_CHUNK_BYTES = 1 << 20


def sha256_file(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes in hexadecimal.

    Raises:
        OSError: The file cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def write_atomic(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Writes `path` through a temporary file in the same folder, fsync and rename.

    A reader sees the old file or the whole new one; on any error the old file stays as it was.

    Args:
        path: The file to replace or create; its folder is created when missing.
        write: Called once with the open binary stream.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
