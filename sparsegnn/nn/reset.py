"""Resets whatever a layer holds."""

from __future__ import annotations

from torch import nn


def reset(value: object) -> None:
    """Calls `reset_parameters` of a module, or of those that it holds."""
    if hasattr(value, "reset_parameters"):
        value.reset_parameters()
    elif isinstance(value, nn.Module):
        for child in value.children():
            reset(child)
