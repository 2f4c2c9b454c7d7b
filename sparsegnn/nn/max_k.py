"""The k largest units of every node as an activation."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from sparsegnn.ops import topk_rows
from sparsegnn.ops.topk_rows import checked_by, checked_count


class MaxK(nn.Module):
    """Keeps the k largest entries of every row and sets the others to 0 (MaxK-GNN, Peng et al.).

    Source: Peng et al., ASPLOS 2024. Exact; equal entries are taken by lowest column. The gradient
    reaches the kept entries. `sparsegnn.compile` may keep the result as sparse rows up to the next
    aggregation or weight.

    Args:
        k: Entries to keep, between 0 and the width of the input.
        by: Rank by "value" or by "magnitude".

    Shapes:
        x `[N, F]`; output the same.
    """

    def __init__(self, k: int, by: Literal["value", "magnitude"] = "value") -> None:
        super().__init__()
        if checked_count(k, "k") < 0:
            raise ValueError(f"k must not be negative, got {k}.")
        self.k = k
        self.by = checked_by(by)

    def forward(self, x: Tensor) -> Tensor:
        """The kept entries, zeros elsewhere."""
        return topk_rows(x, self.k, by=self.by).to_dense()  # type: ignore[arg-type]

    def extra_repr(self) -> str:
        """Options."""
        return f"k={self.k}, by={self.by!r}"
