"""Linear layers whose dead rows and columns are gone: dense products of torch on what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn import functional

from sparsegnn.ops._autocast import autocast
from sparsegnn.ops._typed import check_tensor, typed

if TYPE_CHECKING:
    from sparsegnn.compact_weight import CompactWeight


@typed
def compact_linear(x: Tensor, weight: CompactWeight, bias: Tensor | None = None) -> Tensor:
    """`x @ W.T + bias` over the kept rows and columns of W.

    Dead outputs are their bias (zero without one); dead inputs are never read, so a NaN in one
    stays there.

    Args:
        x: `[N, in_features]`, of any floating dtype.
        weight: `[out_features, in_features]`; converted to the dtype of x.
        bias: `[out_features]`.

    Returns:
        `[N, out_features]` of the dtype of x, computed by `torch.nn.functional.linear`.

    Raises:
        ValueError: A shape does not fit; the message names the argument.

    Differentiable, any number of times, in x, the values of W and bias. Under `torch.autocast` x is
    cast to its dtype (float64 is left alone).
    """
    from sparsegnn.compact_weight import CompactWeight

    if not isinstance(weight, CompactWeight):
        raise TypeError(f"weight must be a CompactWeight, got {type(weight).__name__}.")
    device = weight.values.device
    check_tensor("x", x, device, floating=True)
    if bias is not None:
        check_tensor("bias", bias, device, floating=True)
    x = autocast(x)
    outputs, inputs = weight.shape
    if x.dim() != 2 or x.shape[1] != inputs:
        raise ValueError(f"x must have {inputs} columns, got shape {list(x.shape)}.")
    if bias is not None and bias.shape != (outputs,):
        raise ValueError(f"bias must have shape [{outputs}], got {list(bias.shape)}.")
    rows, cols = weight.rows, weight.cols
    every_row, every_col = rows.numel() == outputs, cols.numel() == inputs
    kept = x if every_col else x.index_select(1, cols)
    shift = None if bias is None else bias.to(x.dtype)
    kept_shift = shift if shift is None or every_row else shift.index_select(0, rows)
    y = functional.linear(kept, weight.values.to(x.dtype), kept_shift)
    if every_row:
        return y
    dead = x.new_zeros(outputs) if shift is None else shift
    return dead.expand(x.shape[0], outputs).index_copy(1, rows, y)
