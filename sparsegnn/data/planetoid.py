"""Planetoid's eight raw files (`ind.<name>.*`) as canonical arrays.

The conventions are those of the published loader: nodes are `allx` followed by the test nodes in
the order of `test.index`; Citeseer's isolated test nodes, which have no row in `tx`, get zero
features and label 0 and are in no mask; self loops and repeated edges are dropped and both
directions are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse

from sparsegnn.data.content import Array, Content, canonical
from sparsegnn.data.errors import DataError
from sparsegnn.data.opcodes import CsrParts, read_object

PARTS = ("x", "tx", "allx", "y", "ty", "ally", "graph", "test.index")
_VALIDATION_NODES = 500
_TYPES: dict[str, type] = {"x": CsrParts, "tx": CsrParts, "allx": CsrParts, "graph": dict}


def planetoid_content(files: Mapping[str, bytes]) -> Content:
    """Builds the dataset from the bytes of the eight files, keyed by `PARTS`.

    Raises:
        DataError: A file is damaged, or the files do not belong together.
    """
    parts = {name: _read(files, name) for name in PARTS if name != "test.index"}
    try:
        return _assemble(parts, _test_index(files["test.index"]))
    except DataError:
        raise
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise DataError(f"the files do not belong together ({error})") from error


def _assemble(parts: dict[str, Any], test_index: Array) -> Content:
    allx, ally, first = parts["allx"], parts["ally"], parts["allx"].shape[0]
    num_nodes = int(test_index.max()) + 1
    if int(test_index.min()) != first or len(test_index) != parts["tx"].shape[0]:
        raise DataError("test.index does not fit allx and tx")
    if num_nodes > 2 * (first + len(test_index)):
        raise DataError(f"test.index names node {num_nodes - 1}, far beyond the nodes there are")
    features = scipy.sparse.vstack([allx, _spread(parts["tx"], test_index - first)]).tocsr()
    one_hot = np.concatenate([ally, _spread(parts["ty"], test_index - first)])
    return canonical(
        _edges(parts["graph"], num_nodes),
        num_nodes,
        features=features,
        labels=one_hot.argmax(axis=1),
        splits=_public_split(parts["y"].shape[0], test_index, num_nodes),
    )


def _read(files: Mapping[str, bytes], name: str) -> Any:
    try:
        value = read_object(files[name])
    except DataError as error:
        raise DataError(f"ind.*.{name}: {error}") from error
    expected = {"graph": dict, "x": CsrParts, "tx": CsrParts, "allx": CsrParts}.get(
        name, np.ndarray
    )
    if not isinstance(value, expected):
        raise DataError(f"ind.*.{name}: holds a {type(value).__name__}")
    return _matrix(value) if isinstance(value, CsrParts) else value


def _matrix(parts: CsrParts) -> Any:
    try:
        matrix = scipy.sparse.csr_matrix(
            (parts.data, parts.indices, parts.indptr), shape=parts.shape
        )
        matrix.check_format(full_check=True)
    except (ValueError, IndexError) as error:
        raise DataError(f"not a valid CSR matrix ({error})") from error
    return matrix


def _test_index(text: bytes) -> Array:
    try:
        index = np.array([int(line) for line in text.split()], dtype=np.int64)
    except ValueError as error:
        raise DataError(f"ind.*.test.index: not a list of integers ({error})") from error
    if not index.size or len(np.unique(index)) != len(index):
        raise DataError("ind.*.test.index: empty or with repeated nodes")
    return index


def _spread(rows: Any, position: Array) -> Any:
    """Returns rows moved to `position`, with zero rows in the gaps, in the type of `rows`."""
    source = scipy.sparse.coo_matrix(
        (np.ones(len(position)), (position, np.arange(len(position)))),
        shape=(int(position.max()) + 1, len(position)),
    )
    return source.tocsr() @ rows


def _edges(graph: dict[int, list[int]], num_nodes: int) -> Array:
    counts = [len(targets) for targets in graph.values()]
    source = np.repeat(np.array(list(graph), dtype=np.int64), counts)
    target = np.array([node for targets in graph.values() for node in targets], dtype=np.int64)
    if source.size and max(source.max(), target.max()) >= num_nodes:
        raise DataError(f"ind.*.graph: names a node outside [0, {num_nodes})")
    keep = source != target
    return np.unique(np.stack([source[keep], target[keep]]), axis=1)


def _public_split(num_train: int, test_index: Array, num_nodes: int) -> dict[str, Array]:
    masks = {name: np.zeros(num_nodes, dtype=np.bool_) for name in ("train", "val", "test")}
    masks["train"][:num_train] = True
    masks["val"][num_train : num_train + _VALIDATION_NODES] = True
    masks["test"][test_index] = True
    return {f"{name}_mask": mask for name, mask in masks.items()}
