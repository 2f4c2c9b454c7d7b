"""Errors of the compiler."""


class Unsupported(Exception):
    """The model does something that the compiler cannot follow; the message says what."""
