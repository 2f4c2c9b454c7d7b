"""Crash-safe writes of bytes that are ready."""

from __future__ import annotations

from pathlib import Path

from sparsegnn.data.files import write_atomic


def write_bytes(path: Path, content: bytes) -> None:
    """Replaces `path` by `content`; a reader or a crash sees the old file or the new one, whole.

    Args:
        path: Target; its folder is created when missing.
        content: All bytes of the new file.

    Raises:
        OSError: The file could not be written; `path` is then as it was.
    """
    write_atomic(path, lambda stream: stream.write(content))
