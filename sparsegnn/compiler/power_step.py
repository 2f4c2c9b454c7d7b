"""The step that takes powers, as power means do before and after their sums."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from sparsegnn.compiler.epilogue import Epilogue
from sparsegnn.compiler.row_ops import clamped_power
from sparsegnn.compiler.sizes import Sizes
from sparsegnn.compiler.steps import Run, Step


class Powers(Step):
    """`clamp(h, low, high) ** power` and an epilogue; power [1] or [C]."""

    power: Tensor

    def __init__(
        self, power: Tensor, low: float | None, high: float | None, epilogue: Epilogue
    ) -> None:
        super().__init__(epilogue)
        self.register_buffer("power", power)
        self.low, self.high = low, high
        self.label = f"powers{epilogue}"
        self._count(0)

    @classmethod
    def of(cls, operation: Any, width: int, sizes: Sizes, epilogue: Epilogue) -> Step:
        """That of a `Power`."""
        return cls(operation.power, operation.low, operation.high, epilogue)

    def kernel(self) -> Run:
        """Binds the powers and bounds."""
        power, low, high = self.power, self.low, self.high

        def run(h: Tensor) -> Tensor:
            return clamped_power(h, power, low, high).to(h.dtype)

        return run
