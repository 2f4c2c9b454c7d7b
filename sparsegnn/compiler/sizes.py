"""What the steps of a unit depend on beside it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from sparsegnn.compiler.csr_matrix import CsrMatrix


@dataclass(frozen=True)
class Sizes:
    """What the candidates of a unit depend on beside it.

    Attributes:
        num_nodes: N.
        features: The features, if they are sparse.
        rows: Rows of the values that have not N.
        storage: Dtype of the features between steps where it is not that of the model.
        store: Dtype that the last step of a unit gives, likewise.
    """

    num_nodes: int
    features: CsrMatrix | None = None
    rows: dict[int, int] = field(default_factory=dict)
    storage: torch.dtype | None = None
    store: torch.dtype | None = None

    @property
    def feature_nonzeros(self) -> int:
        """Entries of sparse features."""
        return 0 if self.features is None else self.features.nnz

    @property
    def feature_rows(self) -> int:
        """Rows of sparse features."""
        assert self.features is not None
        return self.features.shape[0]

    def entries_per_column(self) -> Tensor:
        """int64 [F]: nodes that have each feature."""
        assert self.features is not None
        return torch.bincount(self.features.col, minlength=self.features.shape[1])

    def within(self) -> Sizes:
        """For the steps of a unit before its last one."""
        return replace(self, store=self.storage)

    def stored(self, weight: Tensor) -> Tensor:
        """A weight in the dtype of the features between steps."""
        return weight if self.storage is None else weight.to(self.storage)

    def of(self, num_nodes: int) -> Sizes:
        """For values with that many rows."""
        return replace(self, num_nodes=num_nodes)
