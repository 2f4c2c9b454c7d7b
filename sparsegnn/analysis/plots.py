"""The figure of a run: accuracy against sparsity, and against measured milliseconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from sparsegnn.analysis.palette import BLUE, GREEN, GREY, INK, LEGEND, ORANGE, PURPLE
from sparsegnn.data.files import write_atomic

Kind = Literal["pyg", "composite", "dense", "ticket"]

_MARKS: dict[Kind, tuple[str, str, str]] = {
    "pyg": ("s", ORANGE, "PyG, dense features"),
    "composite": ("^", PURPLE, "torch.sparse composite"),
    "dense": ("D", GREEN, "sparsegnn, dense model"),
    "ticket": ("o", BLUE, "tickets, darker: more rounds"),
}
_LOG_FROM = 0.4  # sparsities below it are spread well enough on a linear axis


@dataclass(frozen=True)
class Level:
    """One round; accuracies and sparsities in [0, 1], standard deviations None for one seed."""

    round: int
    graph_sparsity: float
    weight_sparsity: float
    accuracy: float
    sd: float | None = None
    random_accuracy: float | None = None
    random_sd: float | None = None


@dataclass(frozen=True)
class Timed:
    """One measured program: milliseconds of a forward pass and the accuracy of its model."""

    kind: Kind
    milliseconds: float
    accuracy: float
    round: int | None = None


def plot_run(
    path: Path,
    title: str,
    levels: Sequence[Level],
    timed: Sequence[Timed] = (),
    headline: int | None = None,
    *,
    busy: bool = False,
) -> None:
    """Writes the figure as a PNG, atomically.

    Args:
        path: The file to write.
        title: What was run, one line.
        levels: Rounds in order; the first is the dense model.
        timed: Measured programs; without any the third panel is left out.
        headline: Round to mark.
        busy: Say that other processes disturbed the times.

    Raises:
        ValueError: There is no round to draw.
    """
    if not levels:
        raise ValueError("levels must hold at least the dense model, got none")
    panels = 3 if timed else 2
    figure = Figure(figsize=(4.6 * panels, 4.3), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, panels, sharey=True, squeeze=False)[0]
    for axis, name in zip(axes, ("graph_sparsity", "weight_sparsity"), strict=False):
        _draw_sparsity(axis, levels, name, headline)
    if timed:
        _draw_time(axes[2], timed, headline)
        if busy:
            axes[2].set_xlabel("Forward pass (ms, log scale): machine was busy, measure again")
    _decorate(figure, axes, title, levels)
    write_atomic(path, lambda stream: figure.savefig(stream, format="png"))


def _draw_sparsity(axis: Any, levels: Sequence[Level], name: str, headline: int | None) -> None:
    dense, tickets = levels[0], levels[1:]
    axis.axhline(_percent(dense.accuracy), color=GREEN, linewidth=1.4, label="dense model")
    if dense.sd is not None:
        low, high = _percent(dense.accuracy - dense.sd), _percent(dense.accuracy + dense.sd)
        axis.axhspan(low, high, color=GREEN, alpha=0.13, linewidth=0)
    drawn = [level for level in tickets if level.random_accuracy is not None]
    _line(axis, drawn, name, "random_accuracy", "random_sd", ("x", GREY, "random tickets", "--"))
    _line(axis, tickets, name, "accuracy", "sd", ("o", BLUE, "tickets", "-"))
    for level in tickets:
        if level.round == headline:
            spot = [_percent(getattr(level, name))], [_percent(level.accuracy)]
            label = f"headline, round {level.round}"
            axis.plot(*spot, "o", ms=12, mfc="none", mec=INK, mew=1.3, label=label)
    axis.set_xlabel(f"{name.split('_')[0].capitalize()} sparsity (%)")
    axis.set_xlim(left=0)


def _line(
    axis: Any,
    levels: Sequence[Level],
    name: str,
    accuracy: str,
    sd: str,
    style: tuple[str, str, str, str],
) -> None:
    if not levels:
        return
    marker, color, label, dash = style
    deviations = [getattr(level, sd) for level in levels]
    axis.errorbar(
        [_percent(getattr(level, name)) for level in levels],
        [_percent(getattr(level, accuracy)) for level in levels],
        yerr=None if None in deviations else [_percent(each) for each in deviations],
        fmt=f"{marker}{dash}",
        color=color,
        label=label,
        markersize=4.5,
        linewidth=1.3,
        elinewidth=0.9,
        capsize=2,
    )


def _draw_time(axis: Any, timed: Sequence[Timed], headline: int | None) -> None:
    for kind, (marker, color, label) in _MARKS.items():
        group = [each for each in timed if each.kind == kind]
        shades = _shades(color, len(group)) if kind == "ticket" else [color] * len(group)
        for each, shade in zip(group, shades, strict=True):
            spot = [each.milliseconds], [_percent(each.accuracy)]
            last = label if each is group[-1] else None
            axis.plot(*spot, marker, color=shade, mec=color, mew=0.8, label=last, ms=7)
    for each in timed:
        if each.kind == "ticket" and each.round is not None and each.round == headline:
            spot = [each.milliseconds], [_percent(each.accuracy)]
            axis.plot(*spot, "o", ms=12, mfc="none", mec=INK, mew=1.3)
    axis.set_xscale("log")
    axis.set_xlabel("Forward pass, measured (ms, log scale)")
    _plain_log_ticks(axis, [each.milliseconds for each in timed])


def _shades(color: str, count: int) -> list[tuple[float, ...]]:
    """Returns `count` tints of a colour, from light to the colour itself."""
    full = np.array(to_rgb(color))
    weights = np.linspace(0.25, 1.0, count) if count > 1 else [1.0]
    return [tuple(1.0 - weight * (1.0 - full)) for weight in weights]


def _plain_log_ticks(axis: Any, values: Sequence[float]) -> None:
    low, high = min(values) / 1.4, max(values) * 1.4
    steps = [mantissa * 10.0**power for power in range(-4, 6) for mantissa in (1, 2, 5)]
    ticks = [step for step in steps if low <= step <= high]
    axis.set_xlim(low, high)
    axis.set_xticks(ticks)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())


def _log_of_the_rest(axis: Any, most: float) -> None:
    """Spaces sparsities by the logarithm of what is left, so that rounds are equally far apart."""
    if not _LOG_FROM < most < 1.0 - 1e-6:
        return
    axis.set_xscale(
        "function",
        functions=(
            lambda share: -np.log(np.maximum(100.0 - share, 1e-6) / 100.0),
            lambda depth: 100.0 - 100.0 * np.exp(-depth),
        ),
    )
    right = 100.0 - 100.0 * (1.0 - most) ** 1.05
    axis.set_xlim(0.0, max(right, 1.0))
    ticks = [0, 20, 40, 60, 80, 90, 95, 98, 99, 99.5, 99.8, 99.9]
    axis.set_xticks(_spaced([tick for tick in ticks if tick <= right], right))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_xlabel("Weight sparsity (%, log scale of what is left)")


def _spaced(ticks: Sequence[float], right: float) -> list[float]:
    """Drops ticks whose labels would touch their left neighbour's."""
    kept: list[float] = []
    for tick in ticks:
        place = math.log1p(-tick / 100.0) / math.log1p(-right / 100.0)
        before = math.log1p(-kept[-1] / 100.0) / math.log1p(-right / 100.0) if kept else -1.0
        if place - before > 0.06:
            kept.append(tick)
    return kept


def _decorate(figure: Any, axes: Any, title: str, levels: Sequence[Level]) -> None:
    several = any(level.sd is not None for level in levels)
    axes[0].set_ylabel("Test accuracy (%)" + (", mean ± sd" if several else ", one seed"))
    for axis in axes:
        axis.grid(color="#dddddd", linewidth=0.6)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, **LEGEND)
    axes[0].xaxis.set_major_locator(MaxNLocator(nbins=7))
    _log_of_the_rest(axes[1], max(level.weight_sparsity for level in levels))
    figure.suptitle(title, fontsize=11, color=INK)


def _percent(share: float) -> float:
    return 100.0 * share
