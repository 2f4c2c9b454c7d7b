from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import torch


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three groups of 30 nodes that mostly link and mostly look alike, as an npz file."""
    rng = np.random.default_rng(7)
    labels = np.arange(90) % 3
    chance = np.where(labels[:, None] == labels[None, :], 0.15, 0.02)
    upper = np.triu(rng.random((90, 90)) < chance, 1)
    edges = np.stack(np.nonzero(upper | upper.T)).astype(np.int32)
    words = rng.random((90, 24)) < np.where(np.arange(24)[None, :] % 3 == labels[:, None], 0.5, 0.1)
    features = scipy.sparse.csr_matrix(words.astype(np.float32))
    node = rng.permutation(90)
    path = tmp_path_factory.mktemp("planted") / "planted.npz"
    np.savez_compressed(
        path,
        edge_index=edges,
        num_nodes=np.int64(90),
        x_data=features.data,
        x_indices=features.indices,
        x_indptr=features.indptr,
        x_shape=np.array(features.shape),
        y=labels.astype(np.int16),
        train_mask=node < 30,
        val_mask=(node >= 30) & (node < 60),
        test_mask=node >= 60,
        meta="{}",
    )
    return path


@pytest.fixture(scope="session")
def settings(planted: Path) -> Path:
    """A TOML file that makes a run take a second."""
    path = planted.with_name("settings.toml")
    path.write_text(
        f'dataset = "{planted}"\n'
        "hidden = 8\nthreads = 1\n"
        "[ugs]\nrounds = 3\nmask_epochs = 6\ntrain_epochs = 12\n"
    )
    return path


@pytest.fixture(autouse=True)
def _same_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
