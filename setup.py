"""Builds the two native modules with CMake; everything else is in pyproject.toml."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent


def torch_directory() -> Path:
    """Folder of the installed torch, found without importing it."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        raise RuntimeError(
            "sparsegnn builds against an installed torch: run `make install`, or install torch and "
            "then `pip install --no-build-isolation .`"
        )
    return Path(spec.origin).parent


def pybind11_directory() -> str:
    """CMake folder of the installed pybind11."""
    import pybind11

    return str(pybind11.get_cmake_dir())


class CMakeBuild(build_ext):
    """Runs CMake once; it places `_C.so` and `_host` side by side."""

    def run(self) -> None:
        """Configures and builds all native targets into the package folder."""
        if self.inplace:
            output = ROOT / "sparsegnn"
        else:
            output = Path(self.build_lib).resolve() / "sparsegnn"
        output.mkdir(parents=True, exist_ok=True)
        build = ROOT / "build" / f"cmake-{sys.implementation.cache_tag}"
        configure = [
            "cmake",
            "-S",
            str(ROOT),
            "-B",
            str(build),
            "-G",
            "Ninja",
            f"-DSPARSEGNN_TORCH_DIR={torch_directory()}",
            f"-DSPARSEGNN_OUTPUT_DIR={output}",
            f"-DSPARSEGNN_CUDA={os.environ.get('SPARSEGNN_CUDA', 'auto').upper()}",
            f"-Dpybind11_DIR={pybind11_directory()}",
            f"-DPython_EXECUTABLE={sys.executable}",
        ]
        subprocess.run(configure, check=True)
        jobs = os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL", str(os.cpu_count() or 2))
        subprocess.run(["cmake", "--build", str(build), "--parallel", jobs], check=True)


setup(
    ext_modules=[Extension("sparsegnn._C", sources=[]), Extension("sparsegnn._host", sources=[])],
    cmdclass={"build_ext": CMakeBuild},
)
