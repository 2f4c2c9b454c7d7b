"""Weights of linear layers without their dead rows and columns."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from sparsegnn._weight_checks import check_dense, check_positions, check_values, kept_entries


class CompactWeight(nn.Module):
    """The rows and columns of a weight `[out_features, in_features]` that hold a kept entry.

    Attributes:
        values: Parameter `[rows, cols]`, the kept rows and columns as a dense matrix.
        rows: int64 `[rows]`, the outputs they belong to, ascending.
        cols: int64 `[cols]`, the inputs they belong to, ascending.
    """

    rows: Tensor
    cols: Tensor

    def __init__(self, values: Tensor, rows: Tensor, cols: Tensor, shape: tuple[int, int]) -> None:
        super().__init__()
        check_values(values)
        outputs, inputs = _checked_shape(shape)
        check_positions(rows, outputs, "rows", values.device)
        check_positions(cols, inputs, "cols", values.device)
        if values.shape != (rows.numel(), cols.numel()):
            raise ValueError(
                f"values must have shape [{rows.numel()}, {cols.numel()}], got "
                f"{list(values.shape)}."
            )
        self.values = nn.Parameter(values.detach().clone())
        self.register_buffer("rows", rows)
        self.register_buffer("cols", cols)
        self.shape = (outputs, inputs)
        self.register_load_state_dict_pre_hook(_check_state)  # type: ignore[no-untyped-call]

    @staticmethod
    def from_dense(weight: Tensor, mask: Tensor | None = None) -> CompactWeight:
        """Drops rows and columns in which `mask` is false, by default the all-zero ones.

        Entries of kept rows and columns are trained whether they are zero or not.

        Args:
            weight: Floating `[out_features, in_features]`.
            mask: bool of the same shape.
        """
        check_dense(weight)
        keep = kept_entries(weight, mask)
        rows = keep.any(dim=1).nonzero().flatten()
        cols = keep.any(dim=0).nonzero().flatten()
        values = weight.detach()[rows][:, cols]
        if mask is not None:
            values = values * keep[rows][:, cols]
        return CompactWeight(values, rows, cols, (weight.shape[0], weight.shape[1]))

    def to_dense(self) -> Tensor:
        """Dense `[out_features, in_features]`, differentiable in the values."""
        dense = self.values.new_zeros(self.shape)
        return dense.index_put((self.rows.unsqueeze(1), self.cols), self.values)

    def extra_repr(self) -> str:
        """Shape before and after."""
        return f"shape={list(self.shape)}, kept={list(self.values.shape)}"


def _checked_shape(shape: Any) -> tuple[int, int]:
    if not isinstance(shape, (tuple, list)):
        raise TypeError(f"shape must be two ints, got {type(shape).__name__}.")
    sizes = [size for size in shape if isinstance(size, int) and not isinstance(size, bool)]
    if len(shape) != 2 or len(sizes) != 2 or min(sizes) < 0:
        raise ValueError(f"shape must be two sizes, got {list(shape)}.")
    return sizes[0], sizes[1]


def _check_state(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Positions of a state dict are checked before any is copied; torch compares the shapes."""
    assert isinstance(module, CompactWeight)
    for name, bound in zip(("rows", "cols"), module.shape, strict=True):
        own = getattr(module, name)
        loaded = state.get(prefix + name, own)
        if isinstance(loaded, Tensor) and loaded.shape == own.shape:
            check_positions(loaded, bound, name, loaded.device)
