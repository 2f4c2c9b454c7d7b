"""The npz file format of a dataset: reading with every check, and writing atomically.

Keys: `edge_index` int (2, E), `num_nodes`; optional features in CSR as `x_data`, `x_indices`,
`x_indptr`, `x_shape`; optional `y`; optional `train_mask`, `val_mask`, `test_mask`; `meta`, a JSON
string. Other keys are ignored. Object arrays are refused, so that no file can run code.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from sparsegnn.data.content import SPLITS, Array, Content, canonical
from sparsegnn.data.errors import DataError
from sparsegnn.data.files import write_atomic

_FEATURE_KEYS = ("x_data", "x_indices", "x_indptr", "x_shape")
_KEYS = ("edge_index", "num_nodes", *_FEATURE_KEYS, "y", *SPLITS)
_MAX_BYTES = 1 << 36


def read_npz(path: Path) -> Content:
    """Reads a dataset file.

    Raises:
        DataError: The file is missing, truncated, not an npz file, or its arrays do not fit.
    """
    arrays = _read_arrays(path)
    try:
        return _to_content(arrays)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def write_npz(path: Path, content: Content, meta: dict[str, str]) -> None:
    """Writes a dataset file atomically; `meta` gets the content hash added."""
    meta = {**meta, "content_sha256": content.sha256()}
    arrays: dict[str, Any] = {
        "edge_index": content.edge_index.astype(np.int32),
        "num_nodes": np.int64(content.num_nodes),
        "meta": json.dumps(meta),
    }
    if content.features is not None:
        arrays["x_data"] = content.features.data
        arrays["x_indices"] = content.features.indices
        arrays["x_indptr"] = content.features.indptr
        arrays["x_shape"] = np.array(content.features.shape, dtype=np.int64)
    if content.labels is not None:
        arrays["y"] = content.labels.astype(np.int32)
    if content.splits is not None:
        arrays.update(content.splits)
    write_atomic(path, lambda stream: np.savez_compressed(stream, **arrays))


def _read_arrays(path: Path) -> dict[str, Array]:
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(info.file_size for info in archive.infolist()) > _MAX_BYTES:
                raise DataError(f"{path}: unpacks to more than {_MAX_BYTES} bytes")
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in _KEYS if key in archive.files}
    except DataError:
        raise
    # zipfile and NumPy answer damage with over a dozen exception types, RuntimeError among them.
    except Exception as error:
        raise DataError(f"{path}: damaged or not an npz file ({error})") from error


def _to_content(arrays: dict[str, Array]) -> Content:
    for key in ("edge_index", "num_nodes"):
        if key not in arrays:
            raise DataError(f"key '{key}' is missing")
    if arrays["num_nodes"].shape != () or arrays["num_nodes"].dtype.kind not in "iu":
        raise DataError("num_nodes must be one integer")
    given = [name for name in SPLITS if name in arrays]
    if given and len(given) < len(SPLITS):
        raise DataError(f"the split is incomplete: only {', '.join(given)} present")
    return canonical(
        arrays["edge_index"],
        int(arrays["num_nodes"]),
        features=_to_csr(arrays),
        labels=arrays.get("y"),
        splits={name: arrays[name] for name in SPLITS} if given else None,
    )


def _to_csr(arrays: dict[str, Array]) -> Any:
    given = [key for key in _FEATURE_KEYS if key in arrays]
    if not given:
        return None
    if len(given) < len(_FEATURE_KEYS):
        raise DataError(f"the features are incomplete: only {', '.join(given)} present")
    shape = arrays["x_shape"]
    if shape.shape != (2,) or shape.dtype.kind not in "iu":
        raise DataError("x_shape must hold two integers")
    for key in ("x_indices", "x_indptr"):
        if arrays[key].dtype.kind not in "iu":
            raise DataError(f"{key} must be an integer array, got {arrays[key].dtype}")
    if arrays["x_data"].dtype.kind not in "fiub":
        raise DataError(f"x_data must be a real array, got {arrays['x_data'].dtype}")
    parts = (
        arrays["x_data"].astype(np.float32),
        arrays["x_indices"].astype(np.int64),
        arrays["x_indptr"].astype(np.int64),
    )
    try:
        matrix = scipy.sparse.csr_matrix(parts, shape=(int(shape[0]), int(shape[1])))
        matrix.check_format(full_check=True)
    except (ValueError, IndexError) as error:
        raise DataError(f"the features are not a valid CSR matrix ({error})") from error
    return matrix
