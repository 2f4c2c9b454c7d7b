"""Steps that multiply dense features with a weight, by the form in which the weight is stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from sparsegnn.block_weight import BLOCKS
from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.epilogue import NOTHING, Epilogue, Fused
from sparsegnn.compiler.sizes import Sizes
from sparsegnn.compiler.steps import Run, Step

# Outputs under which a general matrix product reads the features more often than it must.
NARROW_OUTPUTS = 32
# Blocks are weighed up to this share of stored entries: above it a dense product is faster.
PAYING_SHARE = 0.75
INT32_LIMIT = 2**31 - 1

Offers = Iterator[tuple[str, "LinearStep"]]


class LinearStep(Step):
    """`h W^T` and an epilogue, W [out, in].

    Attributes:
        store: Dtype of the result; None for that of h.
    """

    store: torch.dtype | None = None

    @classmethod
    def offers(cls, weight: Tensor, sizes: Sizes, epilogue: Epilogue) -> Offers:
        """The forms to weigh for a weight, with their names; none where it does not fit."""
        raise NotImplementedError

    @property
    def fused(self) -> Fused:
        """The bias, unless the product says otherwise."""
        return Fused(bias=True)

    def product(self) -> Run:
        """The function of h."""
        raise NotImplementedError

    def kernel(self) -> Run:
        """The product, stored as asked for."""
        run, store = self.product(), self.store
        return run if store is None else lambda h: run(h).to(store)

    def _describe(self, form: str, weight: Tensor) -> None:
        self.label = f"{form} {weight.shape[1]} -> {weight.shape[0]}{self.epilogue}"


class DenseLinear(LinearStep):
    """`h W^T` and an epilogue with a dense W [out, in]; h is converted to the dtype of W."""

    weight: Tensor

    def __init__(
        self,
        weight: Tensor,
        num_nodes: int,
        epilogue: Epilogue | None = None,
        store: torch.dtype | None = None,
    ) -> None:
        super().__init__(epilogue)
        self.register_buffer("weight", weight.contiguous())
        self.store = store
        self.kind = "dense weight" if weight.shape[0] >= NARROW_OUTPUTS else "narrow dense weight"
        if weight.dtype == torch.bfloat16:
            self.kind += ", bfloat16"
        self._describe("dense weight", weight)
        self._count(num_nodes * weight.numel())

    @classmethod
    def offers(cls, weight: Tensor, sizes: Sizes, epilogue: Epilogue) -> Offers:
        """Always; in the dtype of the features too where that is another one."""
        yield "dense weight", cls(weight, sizes.num_nodes, epilogue, sizes.store)
        if sizes.storage is not None:
            stored = cls(sizes.stored(weight), sizes.num_nodes, epilogue, sizes.store)
            yield f"dense weight in {str(sizes.storage).removeprefix('torch.')}", stored

    def product(self) -> Run:
        """Binds weight and bias."""
        weight, bias = self.weight, self.epilogue.bias
        dtype = weight.dtype
        if self.store is None:
            return lambda h: functional.linear(h, weight, bias)
        shift = None if bias is None else bias.to(dtype)
        return lambda h: functional.linear(h.to(dtype), weight, shift)


class CsrLinear(LinearStep):
    """`h W^T` and an epilogue with W [out, in] in CSR: cost in proportion to the kept weights."""

    kind = "CSR weight"

    def __init__(
        self,
        weight: Tensor,
        num_nodes: int,
        epilogue: Epilogue | None = None,
        store: torch.dtype | None = None,
    ) -> None:
        super().__init__(epilogue)
        self.weight = CsrMatrix.from_dense(weight)
        self.store = store
        self._describe(f"CSR weight of {self.weight.nnz} entries", weight)
        self._count(num_nodes * self.weight.nnz)

    @classmethod
    def offers(cls, weight: Tensor, sizes: Sizes, epilogue: Epilogue) -> Offers:
        """Wherever 32-bit indices reach."""
        if weight.numel() <= INT32_LIMIT:
            yield "CSR weight", cls(weight, sizes.num_nodes, epilogue, sizes.store)

    def product(self) -> Run:
        """Binds the CSR weight and the bias."""
        linear: Any = torch.ops.sparsegnn.sparse_linear.default
        structure, value, bias = self.weight.structure(), self.weight.value, self.epilogue.bias

        def run(h: Any) -> Tensor:
            out: Tensor = linear(*structure, h, value, bias)
            return out

        return run


class BlockLinear(LinearStep):
    """`h W^T` and an epilogue with the non-empty blocks of W [out, in], square and aligned."""

    kind = "blocks"

    def __init__(
        self,
        weight: Tensor,
        block: int,
        num_nodes: int,
        epilogue: Epilogue | None = None,
        store: torch.dtype | None = None,
    ) -> None:
        super().__init__(epilogue)
        self.weight = CsrMatrix.from_blocks(weight, block)
        self.store = store
        self._describe(f"{self.weight.nnz} blocks of {block} x {block}", weight)
        self._count(num_nodes * self.weight.value.numel())

    @classmethod
    def offers(cls, weight: Tensor, sizes: Sizes, epilogue: Epilogue) -> Offers:
        """Where the zeros form blocks."""
        block = paying_block(weight)
        if block is not None:
            step = cls(weight, block, sizes.num_nodes, epilogue, sizes.store)
            yield f"blocks of {block} x {block}", step

    def product(self) -> Run:
        """Binds the blocks and the bias."""
        linear: Any = torch.ops.sparsegnn.block_linear.default
        structure, value, bias = self.weight.structure(), self.weight.value, self.epilogue.bias

        def run(h: Any) -> Tensor:
            out: Tensor = linear(*structure, h, value, bias, False)
            return out

        return run


class NarrowLinear(LinearStep):
    """`h W^T` and an epilogue for a few outputs: row dots on the complete pattern [N, out].

    Every row of h is read once and stays in the first-level cache for all outputs; a general matrix
    product is several times slower at such widths.
    """

    kind = "row dots"
    weight: Tensor
    rowptr: Tensor
    col: Tensor
    column_shape: Tensor

    def __init__(
        self,
        weight: Tensor,
        num_nodes: int,
        epilogue: Epilogue | None = None,
        store: torch.dtype | None = None,
    ) -> None:
        super().__init__(epilogue)
        out_units = weight.shape[0]
        self.store = store
        self.register_buffer("weight", weight.contiguous())
        most = max(num_nodes, out_units) + 1
        ids = torch.arange(most, dtype=torch.int32, device=weight.device)
        rows = ids[: num_nodes + 1] * out_units
        self.register_buffer("rowptr", rows, persistent=False)
        cols = ids[:out_units].repeat(num_nodes)
        self.register_buffer("col", cols, persistent=False)
        shape = torch.zeros_like(ids[: out_units + 1])
        self.register_buffer("column_shape", shape, persistent=False)
        self._describe("dense weight by row dots", weight)
        self._count(num_nodes * weight.numel())

    @classmethod
    def offers(cls, weight: Tensor, sizes: Sizes, epilogue: Epilogue) -> Offers:
        """For a few outputs."""
        outputs, nodes = weight.shape[0], sizes.num_nodes
        if 0 < outputs <= NARROW_OUTPUTS and nodes * outputs <= INT32_LIMIT:
            step = cls(sizes.stored(weight), nodes, epilogue, sizes.store)
            yield "dense weight by row dots", step

    @property
    def fused(self) -> Fused:
        """Nothing."""
        return NOTHING

    def product(self) -> Run:
        """Binds the weight and the pattern."""
        sddmm: Any = torch.ops.sparsegnn.sddmm.default
        structure = (self.rowptr, self.col, None, self.column_shape, self.col, None)
        weight, out_units = self.weight, self.weight.shape[0]

        def run(h: Any) -> Tensor:
            out: Tensor = sddmm(*structure, h, weight, None, None, None, None)
            return out.view(-1, out_units)

        return run


def paying_block(weight: Tensor) -> int | None:
    """The side of the blocks to store a weight in; None where blocks would hardly save.

    Of the sizes that divide the weight and store about the least, the largest.
    """
    stored = {
        block: stored_share(weight, block)
        for block in BLOCKS
        if weight.numel() > 0 and weight.shape[0] % block == weight.shape[1] % block == 0
    }
    least = min(stored.values(), default=1.0)
    if least > PAYING_SHARE:
        return None
    return max(block for block, share in stored.items() if share <= 1.1 * least)


def stored_share(weight: Tensor, block: int) -> float:
    """Share of the aligned blocks that hold a non-zero."""
    rows = weight.ne(0).unflatten(0, (-1, block)).any(dim=1)
    return float(rows.unflatten(1, (-1, block)).any(dim=2).double().mean())


# In the order in which they are weighed.
LINEAR_STEPS: tuple[type[LinearStep], ...] = (DenseLinear, CsrLinear, BlockLinear, NarrowLinear)
