"""Operations of the operators, for `torch.utils.flop_counter.FlopCounterMode`.

As torch does for its own products, a multiply-accumulate counts as two and elementwise work as
none. Every stored edge counts, whatever a mask drops.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from sparsegnn.ops import _library as _library  # loads the operators

Macs = Callable[..., Any]

_COL, _FIRST, _SECOND = 1, 6, 7  # a graph takes six places; the operands follow


def _per_edge(times: int) -> Macs:
    """Edges times the entries of a row of the first operand, so many times over."""
    return lambda *args: times * args[_COL].numel() * prod(args[_FIRST].shape[1:])


def _softmax_grad(*args: Any) -> Any:
    """Two to have logits and weights again, two for features, one more for temperatures."""
    return _per_edge(5 if args[14] else 4)(*args)


def _rows_grad(*args: Any) -> Any:
    wanted = bool(args[14]) + bool(args[15])
    return wanted * _entries_met(args[_COL], args[6], args[7])


def _spgemm_grad(*args: Any) -> Any:
    wanted = bool(args[13]) + bool(args[14])
    return wanted * _entries_met(args[_COL], args[3], args[4])


def _entries_met(col: Tensor, rowptr: Tensor | None, ids: Tensor) -> Any:
    """Entries of the rows that `col` names; of as many mean rows where tensors hold no data."""
    if rowptr is None:
        return col.numel() * ids.shape[1]
    if type(rowptr) is Tensor and not rowptr.is_meta:
        return int(rowptr.diff()[col.long()].sum())
    return col.numel() * ids.numel() // max(1, rowptr.shape[0] - 1)


def _gcn_hidden(*args: Any) -> Any:
    x_col, a_rowptr, a_col, panels, last = (args[place] for place in (1, 4, 5, 7, 9))
    hidden = panels.shape[0] * panels.shape[2]
    rows = a_rowptr.shape[0] - 1
    return hidden * (x_col.numel() + a_col.numel() + rows * last.shape[0])


_MACS: dict[str, Macs] = {
    "spmm": _per_edge(1),
    "spmm_topk": _per_edge(1),
    "spmm_grad": _per_edge(2),
    "spmm_extreme": _per_edge(1),
    "spmm_extreme_grad": lambda *args: args[_FIRST].numel(),
    "sddmm": _per_edge(1),
    "gat": _per_edge(1),
    "gat_grad_targets": lambda *args: 2 * args[0].numel(),
    "gat_grad": _per_edge(2),
    "gatv2": _per_edge(2),
    # Scores again, then gradients of weights, sum, scores and attention vector.
    "gatv2_grad": _per_edge(5),
    "softmax_aggregate": _per_edge(2),
    "softmax_aggregate_grad": _softmax_grad,
    "spmm_rows": lambda *args: _entries_met(args[_COL], args[6], args[7]),
    "spmm_rows_grad": _rows_grad,
    "spgemm_values": lambda *args: _entries_met(args[_COL], args[3], args[4]),
    "spgemm_grad": _spgemm_grad,
    "sparse_linear": lambda *args: args[_FIRST].shape[0] * args[_SECOND].numel(),
    "sparse_linear_grad": lambda *args: args[_FIRST].shape[0] * args[_COL].numel(),
    "block_linear": lambda *args: args[_FIRST].shape[0] * args[_SECOND].numel(),
    "block_linear_grad": lambda *args: args[_FIRST].shape[0] * args[_COL].numel() * args[8] ** 2,
    "gcn_hidden": _gcn_hidden,
}


def _flops(macs: Macs) -> Callable[..., Any]:
    return lambda *args, out_val=None, **_: 2 * macs(*args)


for _name, _macs in _MACS.items():
    _packet = getattr(torch.ops.sparsegnn, _name, None)
    if _packet is not None:  # a native library that is older than this file lacks some
        register_flop_formula(_packet, get_raw=True)(_flops(_macs))
