"""The error raised when a dataset cannot be found, read or trusted."""

from __future__ import annotations


class DataError(ValueError):
    """A data file or data source is missing, damaged or not what it claims to be."""
