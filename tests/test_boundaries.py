"""The layering: which file may include or import what."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
TORCH = ("torch/", "ATen/", "c10/")
# A package may import from the packages before it, never from those behind it.
LAYERS = [
    {"mask", "_host", "_csr", "_csr_checks", "_graph_build", "_graph_structure"},
    {"graph"},
    {"ops"},
    {"sparse_matrix", "sparse_rows", "sparse_weight"},
    {"nn", "testing"},
    {"data", "training", "compiler"},
    {"tickets"},
    {"pruning"},
    {"analysis"},
    {"profiling"},
    {"cli"},
]


def native_files() -> list[Path]:
    suffixes = {".h", ".cpp", ".cu", ".cuh"}
    return [path for path in (ROOT / "csrc").rglob("*") if path.suffix in suffixes]


def test_torch_headers_stay_in_csrc_torch() -> None:
    files = native_files()
    assert len(files) > 30
    for path in files:
        if (ROOT / "csrc" / "torch") in path.parents:
            continue
        for header in INCLUDE.findall(path.read_text()):
            assert not header.startswith(TORCH), f"{path.name} includes {header}"


def test_contracts_include_no_backend() -> None:
    for path in (ROOT / "csrc" / "include").rglob("*.h"):
        for header in INCLUDE.findall(path.read_text()):
            assert not re.match(r"(cpu|cuda|torch|host)/", header), f"{path.name}: {header}"


def imported_layers(path: Path) -> set[str]:
    """First-level packages of sparsegnn that a file imports at run time, at module level."""
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module]
            if node.module == "sparsegnn":
                modules = [f"sparsegnn.{alias.name}" for alias in node.names]
        names.update(m.split(".")[1] for m in modules if m.startswith("sparsegnn."))
    return names


@pytest.mark.parametrize("layer", range(len(LAYERS)))
def test_python_imports_point_one_way(layer: int) -> None:
    later = set().union(*LAYERS[layer + 1 :]) if layer + 1 < len(LAYERS) else set()
    for name in LAYERS[layer]:
        folder = ROOT / "sparsegnn" / name
        files = list(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
        for path in files:
            if path.exists():
                assert not imported_layers(path) & later, path
