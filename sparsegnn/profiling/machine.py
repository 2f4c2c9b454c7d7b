"""What the machine can do at most, measured in a second."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

_COPIED_BYTES = 128 << 20
_SIDE = {"cpu": 1024, "cuda": 4096}
_ROUNDS = 7


@dataclass(frozen=True)
class Machine:
    """The roofs under which every program runs, and what they were measured with.

    Attributes:
        bytes_per_s: Read and written by a copy of buffers larger than the caches.
        macs_per_s: Of a dense float32 matrix product.
        processor: Name of the processor or GPU.
        threads: CPU threads.
        device: Where programs run.
        torch_version: Version of torch.
    """

    bytes_per_s: float
    macs_per_s: float
    processor: str
    threads: int
    device: str
    torch_version: str

    def roof_ms(self, macs: int, touched_bytes: int) -> tuple[float, str]:
        """Least time of a program, and what sets it: "memory" or "arithmetic".

        Data that a cache still holds is faster than memory: a small program can beat its roof.
        """
        memory = 1e3 * touched_bytes / self.bytes_per_s
        arithmetic = 1e3 * macs / self.macs_per_s
        return (memory, "memory") if memory >= arithmetic else (arithmetic, "arithmetic")


def calibrate(device: torch.device) -> Machine:
    """Measures a copy and a dense product: medians of seven after one to warm up."""
    source = torch.ones(_COPIED_BYTES // 4, device=device)
    target = torch.empty_like(source)
    copying = _median_s(lambda: target.copy_(source), device)
    side = _SIDE.get(device.type, _SIDE["cpu"])
    a, b = (torch.rand(side, side, device=device) for _ in range(2))
    out = torch.empty_like(a)
    multiplying = _median_s(lambda: torch.mm(a, b, out=out), device)
    return Machine(
        bytes_per_s=2 * _COPIED_BYTES / copying,
        macs_per_s=side**3 / multiplying,
        processor=processor(device),
        threads=torch.get_num_threads(),
        device=str(device),
        torch_version=torch.__version__,
    )


def _median_s(run: Callable[[], object], device: torch.device) -> float:
    samples = []
    for _ in range(1 + _ROUNDS):
        _synchronize(device)
        started = time.perf_counter()
        run()
        _synchronize(device)
        samples.append(time.perf_counter() - started)
    return statistics.median(samples[1:])


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def processor(device: torch.device | None = None) -> str:
    """The name of the processor, or of the GPU that a device is."""
    if device is not None and device.type == "cuda":
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
