"""The machine and the versions a measurement was taken with."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from bench.schema import Environment

_ISA_PREFIXES = ("avx", "amx", "fma", "f16c", "asimd", "sve", "bf16")
_PACKAGES = ("torch", "torch-geometric", "numpy", "scipy", "sparsegnn")
_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY", "OMP_PROC_BIND")


def describe(memory_kept: bool = False) -> Environment:
    """Record of the CPU, threads, versions and commit; no host name, no path."""
    model, flags = _cpu()
    commit, modified = _commit()
    return Environment(
        cpu=model,
        isa=flags,
        cores=_cores(),
        torch_threads=torch.get_num_threads(),
        load_average=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        system=f"{platform.system()} {platform.machine()} Python {platform.python_version()}",
        variables={name: os.environ[name] for name in _VARIABLES if name in os.environ},
        freed_memory="kept" if memory_kept else "returned",
        versions=_versions(),
        commit=commit,
        modified=modified,
    )


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu() -> tuple[str, list[str]]:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine(), []
    fields: dict[str, str] = {}
    for line in info.read_text().splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    model = fields.get("model name") or platform.machine()
    family = f"family {fields.get('cpu family', '?')} model {fields.get('model', '?')}"
    return f"{model} ({family})", sorted(f for f in set(flags) if f.startswith(_ISA_PREFIXES))


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _commit() -> tuple[str | None, bool | None]:
    head = _git("rev-parse", "HEAD")
    if head is None:
        return None, None
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return head, None if changes is None else bool(changes)


def _git(*arguments: str) -> str | None:
    """Output of a git command in the source tree; None where there is no git or no repository."""
    root = Path(__file__).resolve().parent.parent
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, timeout=10, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
