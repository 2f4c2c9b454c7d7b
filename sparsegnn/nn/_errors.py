"""Errors that name the layer."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import nn

_SENTENCE = re.compile(r"\w+ must [^\n]* got [^\n]*\.")
_Forward = TypeVar("_Forward", bound=Callable[..., Any])


def names_layer(forward: _Forward) -> _Forward:
    """Decorates `forward`: a sentence about an argument begins with the layer it went to."""

    @functools.wraps(forward)
    def named(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():
            return forward(self, *args, **kwargs)
        try:
            return forward(self, *args, **kwargs)
        except (ValueError, TypeError) as error:
            if not _SENTENCE.fullmatch(str(error)):
                raise
            layer = f"{type(self).__name__}({self.extra_repr()})"
            raise type(error)(f"{layer}: {error}") from error

    return cast(_Forward, named)
