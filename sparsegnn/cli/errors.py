"""Errors of the command line, each told in one sentence."""

from __future__ import annotations

import re

from pydantic import ValidationError


class CliError(ValueError):
    """The command cannot do what was asked; the message is one sentence for the user."""


USER_ERRORS = (OSError, TypeError, ValueError)
"""What bad input raises in this package; anything else is a defect."""


def sentence(error: BaseException) -> str:
    """Returns an error as one line."""
    if isinstance(error, ValidationError):
        return validation_sentence(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return _one_line(str(error)) or type(error).__name__


def validation_sentence(error: ValidationError, where: str = "settings") -> str:
    """Returns the first complaint about settings as one line that names the key."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{where}: unknown key {key!r}"
    message = _one_line(first["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if not key:
        return f"{where}: {message}"
    return f"{where}: {key}: {message}, got {first['input']!r}"


def usage_sentence(error: Exception) -> str | None:
    """Returns what is wrong with the words of the command line, or None for other errors."""
    formatter = getattr(error, "format_message", None)
    return _one_line(formatter()) if callable(formatter) else None


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
