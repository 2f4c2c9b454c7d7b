"""The container of a ticket: a safetensors file whose every byte is covered by a SHA-256.

Layout (docs/ticket-format.md): u64 little-endian header length, JSON header, tensor bytes. The
header's `__metadata__` holds `format`, `version`, `sha256` and `ticket` (a JSON document). The
digest is taken over the whole file with its own 64 hexadecimal digits replaced by zeros.
Encoding is deterministic: equal content gives equal bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor

from sparsegnn.tickets.atomic import write_bytes
from sparsegnn.tickets.errors import TicketError

FORMAT = "sparsegnn-ticket"
VERSION = 1
MAX_HEADER_BYTES = 16 << 20

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_NO_DIGEST = "0" * 64
_METADATA_KEYS = {"format", "version", "sha256", "ticket"}


def encode(tensors: dict[str, Tensor], document: str) -> tuple[bytes, str]:
    """Serialises tensors and a JSON document.

    Args:
        tensors: Contiguous CPU tensors by name.
        document: Text stored as `ticket` in the metadata.

    Returns:
        The file's bytes and the digest that they carry.

    Raises:
        TicketError: A tensor has a dtype that the format does not store, or the header is too big.
    """
    header: dict[str, Any] = {
        "__metadata__": {
            "format": FORMAT,
            "sha256": _NO_DIGEST,
            "ticket": document,
            "version": str(VERSION),
        }
    }
    chunks: list[bytes] = []
    offset = 0
    for name in sorted(tensors, key=lambda key: (-tensors[key].element_size(), key)):
        tensor = tensors[name]
        if tensor.dtype not in _NAMES:
            raise TicketError(
                f"tensor {name!r} has dtype {tensor.dtype}, which tickets cannot store"
            )
        raw = tensor.reshape(-1).view(torch.uint8).numpy().tobytes()
        header[name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + len(raw)],
        }
        offset += len(raw)
        chunks.append(raw)
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER_BYTES:
        raise TicketError(f"ticket header would have {len(text)} bytes, limit {MAX_HEADER_BYTES}")
    body = b"".join(chunks)
    prefix = struct.pack("<Q", len(text))
    digest = hashlib.sha256(prefix + text + body).hexdigest()
    stamped = text.replace(_digest_field(_NO_DIGEST), _digest_field(digest), 1)
    return prefix + stamped + body, digest


def write(path: Path, content: bytes) -> None:
    """Writes encoded bytes to `path` atomically."""
    write_bytes(path, content)


def read(path: Path) -> tuple[dict[str, Tensor], str]:
    """Reads a container and checks every byte of it.

    Args:
        path: File to read.

    Returns:
        The tensors by name, on the CPU, and the JSON document.

    Raises:
        OSError: The file cannot be read.
        TicketError: The file is truncated, foreign, of a newer version, altered or inconsistent.
    """
    with path.open("rb") as file:
        prefix = file.read(8)
        size = path.stat().st_size
        header_size = _header_size(path, prefix, size)
        text = file.read(header_size)
        if len(text) != header_size:
            raise TicketError(f"{path} is truncated inside its header")
        header = _parse_header(path, text)
        metadata = _check_metadata(path, header)
        layout = _check_layout(path, header, size - 8 - header_size)
        body = file.read(size - 8 - header_size + 1)
    if len(body) != size - 8 - header_size:
        raise TicketError(f"{path} changed while it was read")
    _check_digest(path, prefix, text, body, metadata["sha256"])
    tensors = {
        name: _tensor(body[begin:end], dtype, shape)
        for name, (dtype, shape, begin, end) in layout.items()
    }
    return tensors, metadata["ticket"]


def _digest_field(digest: str) -> bytes:
    return f'"sha256":"{digest}"'.encode()


def _header_size(path: Path, prefix: bytes, size: int) -> int:
    if len(prefix) < 8:
        raise TicketError(f"{path} is not a ticket: {len(prefix)} bytes are too few")
    header_size: int = struct.unpack("<Q", prefix)[0]
    if header_size > MAX_HEADER_BYTES:
        raise TicketError(
            f"{path} is not a ticket: it announces a header of {header_size} bytes, "
            f"limit {MAX_HEADER_BYTES}"
        )
    if header_size > size - 8:
        raise TicketError(
            f"{path} is truncated or not a ticket: it announces a header of {header_size} bytes, "
            f"{size - 8} bytes follow"
        )
    return header_size


def _parse_header(path: Path, text: bytes) -> dict[str, Any]:
    try:
        header = strict_json(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise TicketError(f"{path} is not a ticket: its header is not valid JSON") from error
    if not isinstance(header, dict):
        raise TicketError(f"{path} is not a ticket: its header is not a JSON object")
    return header


def _check_metadata(path: Path, header: dict[str, Any]) -> dict[str, str]:
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise TicketError(f"{path} is not a ticket: its header does not name format {FORMAT!r}")
    version = metadata.get("version")
    if not isinstance(version, str) or not re.fullmatch(r"[1-9][0-9]{0,8}", version):
        raise TicketError(f"{path} is damaged: its version is {version!r}, expected a number")
    if int(version) > VERSION:
        raise TicketError(
            f"{path} has ticket version {version}, this sparsegnn reads up to {VERSION}: update it"
        )
    if set(metadata) != _METADATA_KEYS or not all(isinstance(v, str) for v in metadata.values()):
        raise TicketError(f"{path} is damaged: its metadata are not {sorted(_METADATA_KEYS)}")
    return metadata


def _check_digest(path: Path, prefix: bytes, text: bytes, body: bytes, stated: str) -> None:
    field = _digest_field(stated)
    if not re.fullmatch(r"[0-9a-f]{64}", stated) or text.count(field) != 1:
        raise TicketError(f"{path} is damaged: it carries no SHA-256 of its content")
    digest = hashlib.sha256(prefix)
    digest.update(text.replace(field, _digest_field(_NO_DIGEST)))
    digest.update(body)
    if digest.hexdigest() != stated:
        raise TicketError(f"{path} is damaged or was altered: its content has another SHA-256")


_Entry = tuple[torch.dtype, list[int], int, int]


def _check_layout(path: Path, header: dict[str, Any], body_size: int) -> dict[str, _Entry]:
    """Proves that the tensors tile the body exactly, before anything is allocated for them."""
    layout = {
        name: _check_entry(path, name, entry, body_size)
        for name, entry in header.items()
        if name != "__metadata__"
    }
    position = 0
    for name, (_, _, begin, end) in sorted(layout.items(), key=lambda item: item[1][2:]):
        if begin != position:
            raise TicketError(f"{path} is damaged: tensor {name!r} leaves a gap or overlaps")
        position = end
    if position < body_size:
        raise TicketError(f"{path} has {body_size - position} bytes after its last tensor")
    return layout


def _check_entry(path: Path, name: str, entry: Any, body_size: int) -> _Entry:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise TicketError(f"{path} is damaged: tensor {name!r} has no dtype, shape and offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise TicketError(f"{path} is damaged: tensor {name!r} has an unknown dtype")
    if not _is_counts(shape) or len(shape) > 8 or not _is_counts(offsets) or len(offsets) != 2:
        raise TicketError(f"{path} is damaged: tensor {name!r} has a malformed shape or offsets")
    begin, end = offsets
    expected = math.prod(shape) * _DTYPES[dtype].itemsize
    if end - begin != expected:
        raise TicketError(
            f"{path} is damaged: tensor {name!r} needs {expected} bytes, has {end - begin}"
        )
    if end > body_size:
        raise TicketError(f"{path} is truncated: tensor {name!r} ends at byte {end} of {body_size}")
    return _DTYPES[dtype], shape, begin, end


def _is_counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(v) is int and 0 <= v < 1 << 62 for v in value)


def _tensor(raw: bytes, dtype: torch.dtype, shape: list[int]) -> Tensor:
    if not raw:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(bytearray(raw), dtype=dtype).reshape(shape)


def strict_json(text: str) -> Any:
    """Parses JSON, refusing duplicate keys and non-finite numbers.

    Raises:
        ValueError: The text is not such a JSON document.
        RecursionError: It is nested too deeply.
    """
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("JSON object has duplicate keys")
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"JSON has no number {name}")
