"""Object streams as they stand in Planetoid files, assembled opcode by opcode."""

from __future__ import annotations

import struct

import numpy as np
import scipy.sparse

PROTO, STOP = b"\x80\x02", b"."
ONE_NAME = b"cnumpy.core.multiarray\n_reconstruct\n"


def number(value: int) -> bytes:
    if 0 <= value < 256:
        return b"K" + struct.pack("<B", value)
    return b"J" + struct.pack("<i", value)


def text(value: bytes) -> bytes:
    if len(value) < 256:
        return b"U" + struct.pack("<B", len(value)) + value
    return b"T" + struct.pack("<i", len(value)) + value


def array(values: np.ndarray, claimed_shape: tuple[int, ...] | None = None) -> bytes:
    code = {"int32": b"i4", "int64": b"i8", "float32": b"f4", "float64": b"f8"}[values.dtype.name]
    dtype = b"cnumpy\ndtype\n" + text(code) + number(0) + number(1) + b"\x87R"
    dtype += b"(" + number(3) + text(b"<") + b"NNN" + number(-1) + number(-1) + number(0) + b"tb"
    shape = b"(" + b"".join(number(size) for size in claimed_shape or values.shape) + b"t"
    state = b"(" + number(1) + shape + dtype + b"\x89" + text(values.tobytes()) + b"t"
    empty = ONE_NAME + b"cnumpy\nndarray\n" + number(0) + b"\x85" + text(b"b") + b"\x87R"
    return empty + state + b"b"


def csr(matrix: scipy.sparse.csr_matrix) -> bytes:
    rows, columns = matrix.shape
    state = text(b"_shape") + number(rows) + number(columns) + b"\x86"
    for key in ("data", "indices", "indptr"):
        state += text(key.encode()) + array(getattr(matrix, key))
    return b"cscipy.sparse.csr\ncsr_matrix\n)\x81}(" + state + b"ub"


def graph(lists: dict[int, list[int]]) -> bytes:
    body = b"ccollections\ndefaultdict\nc__builtin__\nlist\n\x85R("
    for node, targets in lists.items():
        body += number(node) + b"](" + b"".join(number(target) for target in targets) + b"e"
    return body + b"u"


def stream(body: bytes) -> bytes:
    return PROTO + body + STOP


def tiny_files() -> dict[str, bytes]:
    """Nine nodes: 2 train, 4 more in allx, test nodes 6 and 8; node 7 is isolated."""
    features = scipy.sparse.csr_matrix(np.eye(8, 5, dtype=np.float32) + 0)
    labels = np.eye(3, dtype=np.int32)[[0, 1, 2, 0, 1, 2]]
    return {
        "x": stream(csr(features[:2])),
        "allx": stream(csr(features[:6])),
        "tx": stream(csr(scipy.sparse.csr_matrix(np.float32([[7, 0, 0, 0, 0], [0, 8, 0, 0, 0]])))),
        "y": stream(array(labels[:2])),
        "ally": stream(array(labels)),
        "ty": stream(array(np.int32([[0, 0, 1], [0, 1, 0]]))),
        "graph": stream(graph({0: [1, 1, 2], 1: [0], 2: [0, 2], 6: [8], 8: [6], 7: []})),
        "test.index": b"8\n6\n",
    }
