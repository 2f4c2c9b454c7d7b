from __future__ import annotations

import numpy as np
import planetoid_streams as streams
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sparsegnn.data.errors import DataError
from sparsegnn.data.opcodes import CsrParts, read_object

VALUES = hnp.arrays(
    st.sampled_from([np.int32, np.int64, np.float32, np.float64]),
    hnp.array_shapes(min_dims=1, max_dims=3, max_side=6),
)


@given(VALUES)
def test_array_round_trip(values: np.ndarray) -> None:
    read = read_object(streams.stream(streams.array(values)))
    assert read.dtype == values.dtype
    assert read.tobytes() == values.tobytes()
    assert read.shape == values.shape


def test_long_array_uses_the_long_string_opcode() -> None:
    values = np.arange(1000, dtype=np.int64)
    assert np.array_equal(read_object(streams.stream(streams.array(values))), values)


def test_csr_matrix() -> None:
    matrix = scipy.sparse.random(7, 300, density=0.1, format="csr", dtype=np.float32, rng=3)
    parts = read_object(streams.stream(streams.csr(matrix)))
    assert isinstance(parts, CsrParts)
    assert parts.shape == (7, 300)
    rebuilt = scipy.sparse.csr_matrix((parts.data, parts.indices, parts.indptr), shape=parts.shape)
    assert (rebuilt != matrix).nnz == 0


@given(st.dictionaries(st.integers(0, 2**31 - 1), st.lists(st.integers(0, 2**31 - 1))))
def test_graph_round_trip(lists: dict[int, list[int]]) -> None:
    assert read_object(streams.stream(streams.graph(lists))) == lists


@pytest.mark.parametrize(
    "body",
    [
        b"cos\nsystem\nU\x04true\x85R",
        b"cbuiltins\neval\nU\x011\x85R",
        b"cnumpy\nload\nU\x01f\x85R",
        b"c__builtin__\nlist\n)R",
        b"c__builtin__\nlist\n)\x81",
        b"(U\x04trueios\nsystem\n",
        b"Ppersistent\n",
        b"\x8c\x02os\x8c\x06system\x93)R",
        b"\x82\x01",
        streams.ONE_NAME + b"cscipy.sparse.csr\ncsr_matrix\n" + b"K\x00\x85U\x01b\x87R",
    ],
)
def test_whatever_could_run_code_is_refused(body: bytes) -> None:
    with pytest.raises(DataError):
        read_object(streams.stream(body))


@pytest.mark.parametrize("body", [b"K\x01", b"N", b"U\x01a", b")", b"]", b"c__builtin__\nlist\n"])
def test_result_must_be_data(body: bytes) -> None:
    with pytest.raises(DataError, match="not data"):
        read_object(streams.stream(body))


@pytest.mark.parametrize("shape", [(7,), (2, 2), (-1,), (2**31 - 1, 2**31 - 1)])
def test_array_shape_must_fit_its_bytes(shape: tuple[int, ...]) -> None:
    body = streams.array(np.zeros(6, dtype=np.int32), claimed_shape=shape)
    with pytest.raises(DataError, match="shape"):
        read_object(streams.stream(body))


@given(st.data())
def test_damage_gives_data_or_a_data_error(data: st.DataObject) -> None:
    whole = bytearray(streams.tiny_files()[data.draw(st.sampled_from(["tx", "ally", "graph"]))])
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        value = read_object(cut)
    except DataError:
        return
    assert isinstance(value, np.ndarray | CsrParts | dict)


@pytest.mark.parametrize("name", ["tx", "ally", "graph"])
def test_every_truncation_is_refused(name: str) -> None:
    whole = streams.tiny_files()[name]
    for length in range(len(whole)):
        with pytest.raises(DataError):
            read_object(whole[:length])
