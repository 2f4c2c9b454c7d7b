"""A small dataset in the npz format, as plain arrays that a test may break."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse


def tiny_arrays(num_nodes: int = 12, num_features: int = 5) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    features = scipy.sparse.random(
        num_nodes, num_features, density=0.5, format="csr", dtype=np.float32, rng=rng
    )
    ring = np.arange(num_nodes)
    step = np.roll(ring, -1)
    node = np.arange(num_nodes)
    return {
        "edge_index": np.stack([np.r_[ring, step], np.r_[step, ring]]).astype(np.int32),
        "num_nodes": np.int64(num_nodes),
        "x_data": features.data,
        "x_indices": features.indices.astype(np.int16),
        "x_indptr": features.indptr.astype(np.int32),
        "x_shape": np.array(features.shape),
        "y": (node % 3).astype(np.int16),
        "train_mask": node < 4,
        "val_mask": (node >= 4) & (node < 8),
        "test_mask": node >= 8,
        "meta": "{}",
    }


def save(path: Path, arrays: dict[str, Any]) -> Path:
    np.savez_compressed(path, **arrays)
    return path
