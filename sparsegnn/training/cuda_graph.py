"""The boundary to `torch.cuda` of a captured step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


class CudaGraph:
    """A function as a CUDA graph, by the rules of `torch.cuda.graphs`.

    The function runs on a stream of its own before it is captured, so that libraries and caches
    are set up; a capture records its kernels without running them; a replay runs them on the same
    addresses. Random numbers of torch's generator are new at every replay.

    Args:
        run: Returns one tensor; reads and writes memory that stays where it is.
        device: Where it runs.
    """

    def __init__(self, run: Callable[[], Tensor], device: torch.device) -> None:
        self._run = run
        self._device = device
        self._graph: torch.cuda.CUDAGraph | None = None
        self._result: Tensor

    def warm_up(self) -> Tensor:
        """Runs the function once."""
        with torch.cuda.device(self._device):
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                result = self._run()
            torch.cuda.current_stream().wait_stream(side)
            result.record_stream(torch.cuda.current_stream())
        return result

    def capture(self) -> None:
        """Records the function anew.

        Raises:
            RuntimeError: It does something that cannot be recorded.
        """
        self._graph = None
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self._device), torch.cuda.graph(graph):
            self._result = self._run()
        self._graph = graph

    def replay(self) -> Tensor:
        """Runs what was recorded; the result is the same tensor every time."""
        assert self._graph is not None
        self._graph.replay()
        return self._result
