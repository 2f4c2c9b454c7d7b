"""Steps around a product that is computed on some of its channels only."""

from __future__ import annotations

from torch import Tensor

from sparsegnn.compiler.epilogue import Epilogue
from sparsegnn.compiler.steps import Run, Step


class _Channels(Step):
    """Channels by position, ascending; those that lie side by side are a slice."""

    index: Tensor | None

    def __init__(self, index: Tensor, epilogue: Epilogue | None = None) -> None:
        super().__init__(epilogue)
        self.start = int(index[0]) if len(index) > 0 else 0
        self.stop = self.start + len(index)
        together = len(index) == 0 or int(index[-1]) + 1 == self.stop
        self.register_buffer("index", None if together else index)


class Take(_Channels):
    """Some channels of h; a view where they lie side by side."""

    kind = "taking channels"

    def __init__(self, index: Tensor, num_nodes: int) -> None:
        super().__init__(index)
        self.label = f"take {len(index)} channels"
        self._count(0, work=0 if self.index is None else num_nodes * len(index))

    def kernel(self) -> Run:
        """Binds the channels."""
        index, start, stop = self.index, self.start, self.stop
        if index is None:
            return lambda h: h[:, start:stop]
        return lambda h: h.index_select(1, index)


class Place(_Channels):
    """h as some channels of a result whose others are 0, and an epilogue."""

    kind = "placing channels"

    def __init__(self, index: Tensor, width: int, num_nodes: int, epilogue: Epilogue) -> None:
        super().__init__(index, epilogue)
        self.width = width
        self.label = f"place {len(index)} of {width} channels{self.epilogue}"
        self._count(0, work=num_nodes * width)

    def kernel(self) -> Run:
        """Binds the channels."""
        index, start, stop, width = self.index, self.start, self.stop, self.width

        def run(h: Tensor) -> Tensor:
            out = h.new_zeros(h.shape[0], width)
            if index is None:
                out[:, start:stop] = h
                return out
            return out.index_copy_(1, index, h)

        return run


def kept_channels(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs and inputs, int64, that have a non-zero weight."""
    kept = weight.ne(0)
    return kept.any(dim=1).nonzero()[:, 0], kept.any(dim=0).nonzero()[:, 0]
