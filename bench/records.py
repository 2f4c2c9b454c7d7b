"""Reading and writing of JSON records."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from bench.schema import Record


def write_record(path: Path, record: Record) -> None:
    """Write `record` as JSON: temporary file in the same folder, fsync, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(record.model_dump_json(indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_record(path: Path) -> Record:
    """Read and validate one record.

    Raises:
        ValueError: If the file does not hold a record of this schema.
    """
    return Record.model_validate_json(path.read_text(encoding="utf-8"))
