"""The arrays of one dataset in canonical form, with a hash that is the same for every source."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from sparsegnn.data.errors import DataError

Array = npt.NDArray[Any]
SPLITS = ("train_mask", "val_mask", "test_mask")


@dataclass(frozen=True)
class Content:
    """A graph and, where it has them, its features, labels and public split.

    Attributes:
        edge_index: int64 [2, E], (source, target), sorted by source, then target.
        num_nodes: N; every index is in [0, N).
        features: float32 CSR [N, F] with sorted, distinct column indices and no stored zero.
        labels: int64 [N], -1 for unlabelled.
        splits: `train_mask`, `val_mask`, `test_mask`, each bool [N].
    """

    edge_index: Array
    num_nodes: int
    features: scipy.sparse.csr_matrix | None = None
    labels: Array | None = None
    splits: dict[str, Array] | None = None

    def sha256(self) -> str:
        """Returns the SHA-256 of the canonical arrays, independent of the file that held them."""
        digest = hashlib.sha256()
        _update(digest, "edge_index", self.edge_index, "<i8")
        _update(digest, "num_nodes", np.array([self.num_nodes]), "<i8")
        if self.features is not None:
            _update(digest, "x_shape", np.array(self.features.shape), "<i8")
            _update(digest, "x_indptr", self.features.indptr, "<i8")
            _update(digest, "x_indices", self.features.indices, "<i8")
            _update(digest, "x_data", self.features.data, "<f4")
        if self.labels is not None:
            _update(digest, "y", self.labels, "<i8")
        for name in SPLITS if self.splits else ():
            assert self.splits is not None
            _update(digest, name, self.splits[name], "|u1")
        return digest.hexdigest()


def canonical(
    edge_index: Array,
    num_nodes: int,
    features: scipy.sparse.csr_matrix | None = None,
    labels: Array | None = None,
    splits: dict[str, Array] | None = None,
) -> Content:
    """Checks raw arrays and puts them into canonical form.

    Parallel edges stay; only the order of the edges is fixed.

    Raises:
        DataError: A shape, dtype or value does not fit the others; the message names the array.
    """
    edges = _check_edges(edge_index, num_nodes)
    order = np.lexsort((edges[1], edges[0]))
    return Content(
        edge_index=np.ascontiguousarray(edges[:, order]),
        num_nodes=num_nodes,
        features=None if features is None else _canonical_features(features, num_nodes),
        labels=None if labels is None else _check_labels(labels, num_nodes),
        splits=None if splits is None else _check_splits(splits, num_nodes),
    )


def _check_edges(edge_index: Array, num_nodes: int) -> Array:
    if num_nodes < 0:
        raise DataError(f"num_nodes must be >= 0, got {num_nodes}")
    if edge_index.ndim != 2 or edge_index.shape[0] != 2 or edge_index.dtype.kind not in "iu":
        raise DataError(
            f"edge_index must be an integer array of shape (2, E), "
            f"got {edge_index.dtype} {edge_index.shape}"
        )
    edges = edge_index.astype(np.int64)
    if edges.size and (edges.min() < 0 or edges.max() >= num_nodes):
        raise DataError(
            f"edge_index must hold node ids in [0, {num_nodes}), "
            f"got ids from {edges.min()} to {edges.max()}"
        )
    return edges


def _canonical_features(features: scipy.sparse.csr_matrix, num_nodes: int) -> Any:
    if features.shape[0] != num_nodes:
        raise DataError(f"x_shape must have {num_nodes} rows, got {features.shape[0]}")
    if not np.isfinite(features.data).all():
        raise DataError("x_data must be finite, got NaN or infinity")
    matrix = features.astype(np.float32)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def _check_labels(labels: Array, num_nodes: int) -> Array:
    if labels.shape != (num_nodes,) or labels.dtype.kind not in "iu":
        raise DataError(
            f"y must be an integer array of shape ({num_nodes},), got {labels.dtype} {labels.shape}"
        )
    return labels.astype(np.int64)


def _check_splits(splits: dict[str, Array], num_nodes: int) -> dict[str, Array]:
    for name in SPLITS:
        mask = splits[name]
        if mask.shape != (num_nodes,) or mask.dtype != np.bool_:
            raise DataError(
                f"{name} must be a bool array of shape ({num_nodes},), "
                f"got {mask.dtype} {mask.shape}"
            )
    return {name: np.ascontiguousarray(splits[name]) for name in SPLITS}


def _update(digest: Any, name: str, values: Array, dtype: str) -> None:
    array = np.ascontiguousarray(values, dtype=np.dtype(dtype))
    digest.update(f"{name}:{dtype}:{array.shape};".encode())
    digest.update(array.tobytes())
