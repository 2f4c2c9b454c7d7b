"""Wall-clock and processor time of a block."""

from __future__ import annotations

import time


class Clock:
    """Started on construction.

    ``seconds`` and ``cpu_seconds`` are the time since then, the second over all threads of
    the process.
    """

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = time.process_time()

    @property
    def seconds(self) -> float:
        """Wall-clock seconds so far."""
        return time.perf_counter() - self._wall

    @property
    def cpu_seconds(self) -> float:
        """Processor seconds so far."""
        return time.process_time() - self._cpu
