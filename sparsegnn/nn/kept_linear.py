"""Linear maps that are trained at their kept weights only, in the form that is fastest."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from sparsegnn._weight_checks import check_positions
from sparsegnn.graph import Graph
from sparsegnn.nn.kept_weight import KeptWeight, scatter, take
from sparsegnn.ops import spmm
from sparsegnn.ops._autocast import autocast
from sparsegnn.ops._library import as_acc, call
from sparsegnn.sparse_matrix import SparseMatrix

Form = Literal["dense", "csr"]

# Share of kept entries up to which a step over the kept entries alone is the faster one, measured
# forward and backward (docs/training.md).
CSR_BELOW = 0.45
CSR_BELOW_SPARSE_FEATURES = 0.06


class KeptLinear(nn.Module):
    """`x @ W.T + bias` whose parameter is the vector of the kept entries of W.

    The step is computed from a dense matrix that the values are scattered into, or over the kept
    entries alone: the same sums, in another order. Either way gradients and optimizer state exist
    at kept entries only.

    Outputs that nothing reads, and inputs that nothing gives, can be left out of the computation.
    Their weights stay parameters, with a gradient of zero, so that weight decay goes on for them.

    Args:
        weight: `[out_features, in_features]`; copied.
        keep: bool of that shape.
        bias: Parameter `[out_features]` or None; taken over as it is.
        rows: int64, ascending: the outputs to compute, by default all.
        cols: int64, ascending: the inputs that x has, by default all.
        form: "dense", "csr", or None to choose by the share of kept entries.

    Shapes:
        x `[..., cols]` or `SparseMatrix`; output `[..., rows]`.
    """

    rows: Tensor | None
    cols: Tensor | None

    def __init__(
        self,
        weight: Tensor,
        keep: Tensor,
        bias: nn.Parameter | None = None,
        *,
        rows: Tensor | None = None,
        cols: Tensor | None = None,
        form: Form | None = None,
    ) -> None:
        super().__init__()
        self.weight = KeptWeight(weight, keep)
        for name, index, bound in zip(("rows", "cols"), (rows, cols), weight.shape, strict=True):
            if index is not None:
                check_positions(index, bound, name, weight.device)
        if form not in (None, "dense", "csr"):
            raise ValueError(f"form must be 'dense', 'csr' or None, got {form!r}.")
        self.bias = bias
        self.form = form
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("cols", cols, persistent=False)
        outputs, inputs = self.weight.shape
        self.shape = (
            outputs if rows is None else rows.numel(),
            inputs if cols is None else cols.numel(),
        )
        self._operands: dict[str, Any] = {}

    def form_for(self, sparse_features: bool) -> Form:
        """How x of that kind is multiplied."""
        if self.form is not None:
            return self.form
        limit = CSR_BELOW_SPARSE_FEATURES if sparse_features else CSR_BELOW
        return "csr" if self.num_live <= limit * self.shape[0] * self.shape[1] else "dense"

    @property
    def num_live(self) -> int:
        """Number of kept entries that take part."""
        return self._entries()[0].numel()

    def forward(self, x: Tensor | SparseMatrix) -> Tensor:
        """Maps `[..., cols]` to `[..., rows]`."""
        bias = self.taken_bias(self.bias)
        if not isinstance(x, Tensor) or x.dim() == 2:
            return self.product(x, bias)
        y = self.product(x.reshape(-1, x.shape[-1]), bias)
        return y.reshape(*x.shape[:-1], -1)

    def taken_bias(self, bias: Tensor | None) -> Tensor | None:
        """The entries of a bias `[out_features]` for the outputs that are computed."""
        return bias if bias is None or self.rows is None else bias.index_select(0, self.rows)

    def product(self, x: Tensor | SparseMatrix, bias: Tensor | None = None) -> Tensor:
        """`x @ W.T + bias` for x `[N, cols]` and a bias `[rows]`."""
        if isinstance(x, SparseMatrix):
            if self.form_for(True) == "csr":
                return self._sparse_by_csr(x, bias)
            transposed = self._dense("by input").view(self.shape[1], self.shape[0])
            return spmm(x.pattern, transposed, edge_weight=x.values, bias=bias)
        if self.form_for(False) == "csr":
            return self._dense_by_csr(x, bias)
        return nn.functional.linear(x, self._dense("by output").view(self.shape), bias)

    def _dense(self, layout: str) -> Tensor:
        """The live part of the weight, flattened; "by input" is its transpose."""
        taken, place = self._operand(layout)
        return scatter(self.weight.values, place, self.shape[0] * self.shape[1], taken)

    def _dense_by_csr(self, x: Tensor, bias: Tensor | None) -> Tensor:
        taken, csr, _ = self._operand("csr")
        values = self.weight.values if taken is None else take(self.weight.values, taken)
        x = autocast(x)
        operator = torch.ops.sparsegnn.sparse_linear.default
        return call(operator, *csr, x, as_acc(values, x.dtype), as_acc(bias, x.dtype))  # type: ignore[no-any-return]

    def _sparse_by_csr(self, x: SparseMatrix, bias: Tensor | None) -> Tensor:
        _, csr, order = self._operand("csr")
        weight = autocast(x.values)
        values = take(self.weight.values, order).to(weight.dtype)
        operator = torch.ops.sparsegnn.spmm_rows.default
        nothing = (None, None, None)
        y: Tensor = call(
            operator, *x.pattern.csr, csr.t_rowptr, csr.t_col, values, self.shape[0],
            as_acc(weight, weight.dtype), *nothing,
        )  # fmt: skip
        return y if bias is None else y + bias.to(y.dtype)

    def _operand(self, kind: str) -> Any:
        if kind not in self._operands:
            with torch.inference_mode(False):
                self._operands[kind] = self._make(kind)
        return self._operands[kind]

    def _make(self, kind: str) -> tuple[Any, ...]:
        live, row, col = self._entries()
        taken = None if live.numel() == self.weight.values.numel() else live
        outputs, inputs = self.shape
        if kind == "by output":
            return taken, row * inputs + col
        if kind == "by input":
            return taken, col * outputs + row
        pattern = Graph.from_edge_index(torch.stack([col, row]), num_src=inputs, num_dst=outputs)
        edge = pattern.csr.t_edge_id
        return taken, pattern.csr, live if edge is None else live[edge.long()]

    def _entries(self) -> tuple[Tensor, Tensor, Tensor]:
        """Which kept entries take part, their rows and their columns, in row-major order."""
        if "entries" not in self._operands:
            with torch.inference_mode(False):
                self._operands["entries"] = self._live_entries()
        found: tuple[Tensor, Tensor, Tensor] = self._operands["entries"]
        return found

    def _live_entries(self) -> tuple[Tensor, Tensor, Tensor]:
        outputs, inputs = self.weight.shape
        row = _renumbered(self.weight.index // inputs, self.rows, outputs)
        col = _renumbered(self.weight.index % inputs, self.cols, inputs)
        live = ((row >= 0) & (col >= 0)).nonzero().squeeze(1)
        return live, row[live], col[live]

    def _apply(self, fn: Any, recurse: bool = True) -> KeptLinear:
        self._operands.clear()
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call, no-any-return]

    def extra_repr(self) -> str:
        """Sizes of what is computed."""
        return f"{self.shape[1]}, {self.shape[0]}, bias={self.bias is not None}"


def _renumbered(numbers: Tensor, kept: Tensor | None, total: int) -> Tensor:
    """The place of each number among `kept`, -1 for others; itself without `kept`."""
    if kept is None:
        return numbers
    place = torch.full((total,), -1, dtype=torch.int64, device=numbers.device)
    place[kept] = torch.arange(kept.numel(), device=numbers.device)
    return place[numbers]
