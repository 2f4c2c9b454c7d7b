"""What a run depends on besides its settings: versions, processor, threads."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from sparsegnn.profiling.machine import processor

_PACKAGES = ("sparsegnn", "torch", "torch-geometric", "numpy", "scipy", "safetensors")


def environment() -> dict[str, Any]:
    """Returns versions, processor and thread count as JSON values."""
    return {
        "python": platform.python_version(),
        "packages": {name: package_version(name) for name in _PACKAGES},
        "system": platform.platform(),
        "processor": processor(),
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "cuda_device": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def package_version(name: str) -> str | None:
    """Returns the installed version of a package, None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
