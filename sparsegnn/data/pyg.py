"""PyG's `Planetoid` as a data source: its download of the raw files, read by our own reader.

PyG's reader would deserialise the files with code execution enabled, and its download does not
verify the server; so only the download is used, in a child process with a time limit, and the
content hash decides whether the result is trusted.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from sparsegnn.data.content import Content
from sparsegnn.data.errors import DataError
from sparsegnn.data.planetoid import PARTS, planetoid_content

_TIMEOUT_SECONDS = 60
_SCRIPT = """
import sys
from torch_geometric.datasets import Planetoid
dataset = Planetoid.__new__(Planetoid)
dataset.root, dataset.name, dataset.split = sys.argv[1], sys.argv[2], "public"
dataset.download()
"""


def fetch_from_pyg(name: str) -> Content:
    """Downloads the eight raw files through PyG and reads them.

    Raises:
        DataError: The download failed or took too long, or a file is damaged.
    """
    with tempfile.TemporaryDirectory(prefix="sparsegnn-") as folder:
        _download(name, folder)
        return read_raw_folder(Path(folder) / name / "raw", name)


def read_raw_folder(folder: Path, name: str) -> Content:
    """Reads the eight files `ind.<name>.*` from a folder, such as PyG's `raw`.

    Raises:
        DataError: A file is missing or damaged.
    """
    try:
        files = {part: (folder / f"ind.{name}.{part}").read_bytes() for part in PARTS}
    except OSError as error:
        raise DataError(f"{error.filename}: {error.strerror}") from error
    return planetoid_content(files)


def _download(name: str, folder: str) -> None:
    try:
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT, folder, name],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DataError(f"the download took more than {_TIMEOUT_SECONDS} s") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise DataError(f"the download failed ({lines[-1] if lines else 'no message'})")
