"""Ticket files: round trips, and refusal of everything that is not the file that was written."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from small_ticket import make

from sparsegnn import Mask
from sparsegnn.tickets import Ticket, TicketError, container


def small_file() -> bytes:
    """A real ticket file of about 1.5 kB."""
    from sparsegnn.tickets import codec

    return codec.encode(make(nodes=4, edges=6, features=3, hidden=2, classes=2).ticket)[0]


CONTENT = small_file()


def same(a: Ticket, b: Ticket) -> bool:
    states = [(a.state, b.state), (a.init_state, b.init_state)]
    return (
        a.edge_mask == b.edge_mask
        and a.weight_masks == b.weight_masks
        and all(x.keys() == y.keys() for x, y in states)
        and all(torch.equal(x[k], y[k]) and x[k].dtype == y[k].dtype for x, y in states for k in x)
        and (a.graph_fingerprint, a.method, a.config, a.metrics, a.seed, a.round)
        == (b.graph_fingerprint, b.method, b.config, b.metrics, b.seed, b.round)
    )


def refusal(path: Path, content: bytes) -> str:
    """The one sentence with which `content` is refused."""
    path.write_bytes(content)
    with pytest.raises(TicketError) as caught:
        Ticket.load(path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    return message


def restamped(content: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """The file with its header changed and the digest made right again."""
    import hashlib

    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + size])
    header["__metadata__"]["sha256"] = "0" * 64
    change(header)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    blank = struct.pack("<Q", len(text)) + text + content[8 + size :]
    digest = hashlib.sha256(blank).hexdigest().encode()
    return blank.replace(b'"sha256":"' + b"0" * 64, b'"sha256":"' + digest, 1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_round_trip(tmp_path: Path, dtype: torch.dtype) -> None:
    ticket = make(dtype=dtype).ticket
    ticket.save(tmp_path / "a.ticket")
    loaded = Ticket.load(tmp_path / "a.ticket")
    assert same(ticket, loaded)
    assert loaded.sha256() == ticket.sha256()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    nodes=st.integers(1, 9),
    edges=st.integers(0, 20),
    sparsity=st.floats(0, 1),
    text=st.text(max_size=20),
    numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=3),
)
def test_round_trip_of_any_ticket(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    nodes: int,
    edges: int,
    sparsity: float,
    text: str,
    numbers: list[float],
) -> None:
    from dataclasses import replace

    ticket = make(seed=seed, nodes=nodes, edges=edges, edge_sparsity=sparsity).ticket
    ticket = replace(ticket, method=text, config={text: [*numbers]}, metrics={"nested": {text: 1}})
    path = tmp_path_factory.mktemp("tickets") / "t"
    ticket.save(path)
    assert same(ticket, Ticket.load(path))


def test_equal_tickets_have_equal_bytes_and_others_another_digest(tmp_path: Path) -> None:
    one, two, other = make(seed=1).ticket, make(seed=1).ticket, make(seed=2).ticket
    one.save(tmp_path / "one")
    two.save(tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert one.sha256() == two.sha256() != other.sha256()


def test_file_is_a_safetensors_file(tmp_path: Path) -> None:
    ticket = make(dtype=torch.float32).ticket
    ticket.save(tmp_path / "a")
    with safe_open(tmp_path / "a", "pt") as file:
        assert file.metadata()["format"] == "sparsegnn-ticket"
        assert file.metadata()["sha256"] == ticket.sha256()
        for key, value in ticket.state.items():
            assert torch.equal(file.get_tensor(f"state/{key}"), value)


def test_save_replaces_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    make(seed=1).ticket.save(tmp_path / "a")
    second = make(seed=2).ticket
    second.save(tmp_path / "a")
    assert same(Ticket.load(tmp_path / "a"), second)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_failed_save_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make(seed=1).ticket
    first.save(tmp_path / "a")

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        make(seed=2).ticket.save(tmp_path / "a")
    assert same(Ticket.load(tmp_path / "a"), first)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_ticket_does_not_alias_the_model() -> None:
    setup = make()
    before = setup.ticket.sha256()
    with torch.no_grad():
        for parameter in setup.model.parameters():
            parameter.zero_()
    assert setup.ticket.sha256() == before


def test_every_single_byte_is_covered(tmp_path: Path) -> None:
    path = tmp_path / "t"
    for position in range(len(CONTENT)):
        changed = bytearray(CONTENT)
        changed[position] ^= 1 << (position % 8)
        refusal(path, bytes(changed))


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    for length in range(len(CONTENT)):
        refusal(tmp_path / "t", CONTENT[:length])


@settings(max_examples=600, deadline=None)
@given(
    flips=st.lists(
        st.tuples(st.integers(0, len(CONTENT) - 1), st.integers(1, 255)), min_size=1, max_size=6
    ),
    cut=st.integers(0, 40),
    tail=st.binary(max_size=12),
)
def test_altered_files_are_refused(
    tmp_path_factory: pytest.TempPathFactory, flips: list[tuple[int, int]], cut: int, tail: bytes
) -> None:
    changed = bytearray(CONTENT)
    for position, bits in flips:
        changed[position] ^= bits
    altered = bytes(changed[: len(changed) - cut]) + tail
    if altered != CONTENT:
        refusal(tmp_path_factory.getbasetemp() / "altered", altered)


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=400))
def test_foreign_bytes_are_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    refusal(tmp_path_factory.getbasetemp() / "foreign", content)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_forged_headers_with_a_right_digest_are_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whoever can compute the digest can write a ticket, but never crash its reader."""

    def change(header: dict[str, Any]) -> None:
        name = data.draw(st.sampled_from(sorted(header)))
        if name == "__metadata__":
            document = json.loads(header[name]["ticket"])
            field = data.draw(st.sampled_from(sorted(document)))
            document[field] = data.draw(JSON_VALUES)
            header[name]["ticket"] = json.dumps(document)
        else:
            field = data.draw(st.sampled_from(["dtype", "shape", "data_offsets"]))
            header[name][field] = data.draw(JSON_VALUES | st.lists(st.integers(), max_size=4))

    path = tmp_path_factory.getbasetemp() / "forged"
    path.write_bytes(restamped(CONTENT, change))
    try:
        loaded = Ticket.load(path)
    except TicketError as error:
        assert "\n" not in str(error)
    else:
        loaded.sparsity()
        loaded.save(path)
        assert same(Ticket.load(path), loaded)


def set_metadata(key: str, value: str) -> Callable[[dict[str, Any]], None]:
    return lambda header: header["__metadata__"].update({key: value})


def set_document(**fields: Any) -> Callable[[dict[str, Any]], None]:
    def change(header: dict[str, Any]) -> None:
        document = json.loads(header["__metadata__"]["ticket"])
        document.update(fields)
        header["__metadata__"]["ticket"] = json.dumps(document)

    return change


def rename(old: str, new: str) -> Callable[[dict[str, Any]], None]:
    return lambda header: header.update({new: header.pop(old)})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (set_metadata("version", "2"), "ticket version 2, this sparsegnn reads up to 1"),
        (set_metadata("version", "one"), "its version is 'one'"),
        (set_metadata("format", "pt"), "does not name format"),
        (set_metadata("extra", "x"), "its metadata are not"),
        (set_metadata("ticket", "{"), "ticket document is not valid JSON"),
        (set_metadata("ticket", '{"a":1,"a":2}'), "ticket document is not valid JSON"),
        (set_metadata("ticket", "[" * 100_000), "ticket document is not valid JSON"),
        (set_metadata("ticket", "[]"), "lacks or adds fields"),
        (set_document(seed=True), "wrong type"),
        (set_document(metrics=[]), "wrong type"),
        (set_document(round=-1), "round >= 0"),
        (set_document(num_edges=5), "'edge_mask': packed must have zero bits"),
        (set_document(num_edges=9), "does not hold 9 packed bits"),
        (set_document(num_edges=-1), "malformed shape"),
        (set_document(weight_masks={}), "unknown tensor 'weight_mask/"),
        (set_document(weight_masks={"convs.0.lin.weight": [2, 1 << 61]}), "does not hold"),
        (rename("state/convs.0.bias", "state/other"), "same keys"),
        (rename("edge_mask", "edges"), "'edge_mask' does not hold 6 packed bits"),
        (rename("state/convs.0.bias", "optimizer"), "unknown tensor 'optimizer'"),
    ],
)
def test_refusals_have_their_sentence(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], sentence: str
) -> None:
    assert sentence in refusal(tmp_path / "t", restamped(keep_all_edges(CONTENT), change))


def keep_all_edges(content: bytes) -> bytes:
    """The file with the bits of all six edges set; its digest is wrong then."""
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + size])
    begin = 8 + size + header["edge_mask"]["data_offsets"][0]
    return content[:begin] + bytes([0b0011_1111]) + content[begin + 1 :]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "0 bytes are too few"),
        (struct.pack("<Q", 1 << 40) + b"{}", "announces a header of 1099511627776 bytes"),
        (struct.pack("<Q", 1 << 20) + b"{}", "is truncated or not a ticket"),
        (struct.pack("<Q", 2) + b"{}", "does not name format"),
        (struct.pack("<Q", 2) + b"[]", "not a JSON object"),
        (struct.pack("<Q", 3) + b"\xff\xfe{", "not valid JSON"),
        (b"PK\x03\x04" + bytes(200), "is not a ticket"),
        (b"\x80\x04\x95" + bytes(200), "is truncated or not a ticket"),
    ],
)
def test_foreign_files_have_their_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    assert sentence in refusal(tmp_path / "t", content)


def test_oversize_header_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", container.MAX_HEADER_BYTES + 1))
        file.truncate(1 << 40)
    with pytest.raises(TicketError, match="limit 16777216"):
        Ticket.load(path)


def test_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Ticket.load(tmp_path / "absent")


@pytest.mark.parametrize(
    "bad", [float("nan"), float("inf"), {1: 2}, (1, 2), object(), torch.zeros(1)]
)
def test_metrics_must_be_json(tmp_path: Path, bad: Any) -> None:
    from dataclasses import replace

    ticket = replace(make().ticket, metrics={"value": bad})
    with pytest.raises(TicketError, match="only JSON values"):
        ticket.save(tmp_path / "t")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"edge_mask": Mask.ones(2, 3)}, r"edge_mask must have shape \[E\], got \(2, 3\)"),
        ({"weight_masks": {"nothing": Mask.ones(2)}}, "'nothing', which state lacks"),
        ({"weight_masks": {"convs.0.bias": Mask.ones(4)}}, "state has"),
        ({"init_state": {}}, "same keys"),
        ({"state": {"a": 1.0}}, "must be a dense tensor, got float"),
        ({"round": -1}, "round >= 0"),
        ({"seed": 1.5}, "seed and round must be whole numbers"),
    ],
)
def test_inconsistent_tickets_cannot_be_made(fields: dict[str, Any], sentence: str) -> None:
    from dataclasses import replace

    with pytest.raises(TicketError, match=sentence):
        replace(make().ticket, **fields)
