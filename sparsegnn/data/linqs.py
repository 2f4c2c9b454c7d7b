"""Cora from its LINQS text files, put into Planetoid's node order and public split."""

from __future__ import annotations

import numpy as np
import scipy.sparse

from sparsegnn.data.content import Array, Content, canonical
from sparsegnn.data.cora_order import NUM_NODES, cora_order
from sparsegnn.data.errors import DataError

_CLASSES = (
    b"Theory",
    b"Reinforcement_Learning",
    b"Genetic_Algorithms",
    b"Neural_Networks",
    b"Probabilistic_Methods",
    b"Case_Based",
    b"Rule_Learning",
)
_NUM_WORDS = 1433
_NUM_TRAIN = 140
_NUM_VALIDATION = 500
_NUM_TEST = 1000


def cora_from_linqs(content: bytes, cites: bytes) -> Content:
    """Builds Planetoid's Cora from the bytes of `cora.content` and `cora.cites`.

    Raises:
        DataError: A line does not have the expected fields.
    """
    try:
        papers, words, labels = _parse_content(content)
        edges = _parse_cites(cites, papers)
    except (ValueError, KeyError, IndexError) as error:
        raise DataError(f"the LINQS files of Cora are damaged ({error!r})") from error
    order = cora_order()
    position = np.empty_like(order)
    position[order] = np.arange(NUM_NODES)
    return canonical(
        np.unique(position[edges], axis=1),
        NUM_NODES,
        features=scipy.sparse.csr_matrix(words[order]),
        labels=labels[order],
        splits=_public_split(),
    )


def _parse_content(content: bytes) -> tuple[dict[bytes, int], Array, Array]:
    rows = [line.split() for line in content.splitlines()]
    if len(rows) != NUM_NODES or any(len(row) != _NUM_WORDS + 2 for row in rows):
        raise ValueError(f"cora.content is not {NUM_NODES} lines of {_NUM_WORDS + 2} fields")
    papers = {row[0]: line for line, row in enumerate(rows)}
    words = np.array([[word == b"1" for word in row[1:-1]] for row in rows], dtype=np.float32)
    labels = np.array([_CLASSES.index(row[-1]) for row in rows], dtype=np.int64)
    return papers, words, labels


def _parse_cites(cites: bytes, papers: dict[bytes, int]) -> Array:
    pairs: Array = np.array(
        [[papers[paper] for paper in line.split()] for line in cites.splitlines()], dtype=np.int64
    )
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    both: Array = np.concatenate([pairs, pairs[:, ::-1]]).T
    return both


def _public_split() -> dict[str, Array]:
    node = np.arange(NUM_NODES)
    first_test = NUM_NODES - _NUM_TEST
    return {
        "train_mask": node < _NUM_TRAIN,
        "val_mask": (node >= _NUM_TRAIN) & (node < _NUM_TRAIN + _NUM_VALIDATION),
        "test_mask": node >= first_test,
    }
