"""The figure of a profile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from sparsegnn.profiling import BreakEven, Profile
from sparsegnn.profiling.break_even import Race
from sparsegnn.profiling.plot import plot_profile

RACES = (Race(0.0, 4.0, 1.0), Race(0.6, 1.5, 1.0), Race(0.9, 0.5, 1.0))
ORANGE, GREEN, GREY = (213, 94, 0), (0, 158, 115), (85, 85, 85)


def share_of(image: np.ndarray, color: tuple[int, int, int]) -> float:
    return float((np.abs(image[..., :3] * 255 - color).max(axis=-1) < 12).mean())


def drawn(tmp_path: Path, profile: Profile) -> np.ndarray:
    plot_profile(tmp_path / "profile.png", profile)
    assert [path.name for path in tmp_path.iterdir()] == ["profile.png"]
    image: np.ndarray = imread(tmp_path / "profile.png", format="png")
    return image


def test_series_have_their_colours(tmp_path: Path, swept: Profile) -> None:
    image = drawn(tmp_path, replace(swept, break_even=()))
    for color in (ORANGE, GREEN, GREY):
        assert share_of(image, color) > 1e-4


def test_races_have_a_panel_of_their_own(tmp_path: Path, swept: Profile) -> None:
    one = drawn(tmp_path, replace(swept, break_even=()))
    raced = replace(swept, break_even=(BreakEven("convs.0", RACES, 0.7, False),))
    assert drawn(tmp_path, raced).shape[1] > 1.5 * one.shape[1]


@pytest.mark.parametrize("cells", [slice(0, 1), slice(1, 2)])
def test_one_cell(tmp_path: Path, swept: Profile, cells: slice) -> None:
    assert drawn(tmp_path, replace(swept, cells=swept.cells[cells], break_even=())).size > 0


def test_edges_alone_vary(tmp_path: Path, swept: Profile) -> None:
    cells = tuple(replace(cell, weight_sparsity=0.5) for cell in swept.cells)
    assert drawn(tmp_path, replace(swept, cells=cells, break_even=())).size > 0


def test_a_model_that_was_not_followed(tmp_path: Path, swept: Profile) -> None:
    cells = tuple(
        replace(cell, report=replace(cell.report, macs=None, macs_dense=None, macs_kept=None))
        for cell in swept.cells
    )
    assert drawn(tmp_path, replace(swept, cells=cells)).size > 0
