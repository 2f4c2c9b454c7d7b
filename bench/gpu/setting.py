"""Where and how large a run is: the GPU with full sizes, or a rehearsal on the CPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

Size = TypeVar("Size")


@dataclass(frozen=True)
class Setting:
    """A rehearsal runs every line of the benchmark on the CPU in seconds; its times mean nothing.

    Attributes:
        device: "cuda" or "cpu".
        tiny: Whether to use the small sizes.
    """

    device: str = "cuda"
    tiny: bool = False

    def size(self, full: Size, tiny: Size) -> Size:
        """The size to use."""
        return tiny if self.tiny else full

    def rounds(self, full: int) -> int:
        """How many rounds to time."""
        return self.size(full, 2)


REHEARSAL = Setting(device="cpu", tiny=True)
