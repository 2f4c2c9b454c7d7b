"""Finds the GPU and describes what a measurement on it depends on."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]


def missing_gpu() -> str | None:
    """Why nothing can run here, as one sentence; None when there is a GPU."""
    if torch.version.cuda is None:
        return f"this torch ({torch.__version__}) was built without CUDA"
    if not torch.cuda.is_available():
        return "no NVIDIA GPU is available to torch on this machine"
    return None


def output_of(*command: str) -> str | None:
    """The standard output of a command; None when it is missing or fails."""
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def describe() -> dict[str, object]:
    """Device, driver, versions and commit; no host name, no path."""
    properties = torch.cuda.get_device_properties(0)
    changes = output_of("git", "status", "--porcelain", "--untracked-files=no")
    return {
        "device": properties.name,
        "capability": f"{properties.major}.{properties.minor}",
        "multiprocessors": properties.multi_processor_count,
        "memory_bytes": properties.total_memory,
        "l2_bytes": getattr(properties, "L2_cache_size", None),
        "driver": output_of("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"),
        "clocks": output_of(
            "nvidia-smi", "--query-gpu=clocks.sm,clocks.mem", "--format=csv,noheader"
        ),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
        "commit": output_of("git", "rev-parse", "HEAD"),
        "modified": None if changes is None else bool(changes),
    }
