from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from sparsegnn.analysis import Level, Timed, plot_run

LEVELS = [
    Level(0, 0.0, 0.0, 0.81, 0.01),
    *[Level(k, 1 - 0.95**k, 1 - 0.8**k, 0.81 - 0.01 * k, 0.01, 0.7, 0.02) for k in (1, 2, 3)],
]
TIMED = [Timed("pyg", 40.0, 0.81), Timed("dense", 2.0, 0.81), Timed("ticket", 0.9, 0.8, 2)]


def pixels(path: Path) -> np.ndarray:
    return imread(path, format="png")


def share_of(image: np.ndarray, color: tuple[int, int, int]) -> float:
    return float((np.abs(image[..., :3] * 255 - color).max(axis=-1) < 12).mean())


def test_panels(tmp_path: Path) -> None:
    plot_run(tmp_path / "three.png", "title", LEVELS, TIMED, headline=2)
    plot_run(tmp_path / "two.png", "title", LEVELS)
    three, two = pixels(tmp_path / "three.png"), pixels(tmp_path / "two.png")
    assert three.shape[1] > 1.4 * two.shape[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["three.png", "two.png"]


def test_every_series_is_drawn_in_its_colour(tmp_path: Path) -> None:
    plot_run(tmp_path / "all.png", "title", LEVELS, TIMED)
    image = pixels(tmp_path / "all.png")
    for color in ((0, 114, 178), (213, 94, 0), (0, 158, 115), (85, 85, 85)):
        assert share_of(image, color) > 1e-4
    plot_run(tmp_path / "none.png", "title", LEVELS)
    assert share_of(pixels(tmp_path / "none.png"), (213, 94, 0)) == 0.0


def test_headline_changes_the_picture(tmp_path: Path) -> None:
    plot_run(tmp_path / "a.png", "title", LEVELS, TIMED)
    plot_run(tmp_path / "b.png", "title", LEVELS, TIMED, headline=2)
    assert not np.array_equal(pixels(tmp_path / "a.png"), pixels(tmp_path / "b.png"))


@pytest.mark.parametrize(
    "levels",
    [
        [Level(0, 0.0, 0.0, 0.8)],
        [Level(0, 0.0, 0.0, 0.8), Level(1, 0.05, 0.2, 0.8)],
        [Level(0, 0.0, 0.0, 0.8), Level(1, 0.0, 0.0, 0.8)],
        [Level(0, 0.0, 0.0, 0.8), Level(1, 1.0, 1.0, 0.1)],
        [Level(0, 0.0, 0.0, 0.8), Level(40, 0.871, 0.99987, 0.3)],
    ],
)
def test_small_and_extreme_runs(tmp_path: Path, levels: list[Level]) -> None:
    plot_run(tmp_path / "run.png", "title", levels, [Timed("ticket", 1e-3, 0.1, 1)], headline=1)
    assert pixels(tmp_path / "run.png").size > 0


def test_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least the dense model"):
        plot_run(tmp_path / "run.png", "title", [])
    assert list(tmp_path.iterdir()) == []
