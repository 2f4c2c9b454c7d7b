"""Colours and the legend that the figures share."""

from __future__ import annotations

from typing import Any

# Okabe and Ito's palette: distinct in every common form of colour blindness.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
SKY, AMBER = "#56B4E9", "#E69F00"
GREY, INK = "#555555", "#222222"
LEGEND: dict[str, Any] = {"frameon": False, "fontsize": 8, "handlelength": 1.8}
