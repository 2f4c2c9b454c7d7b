"""The figure of a profile: measured speed-up and saved operations against sparsity."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from sparsegnn.analysis.palette import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    INK,
    LEGEND,
    ORANGE,
    PURPLE,
    SKY,
)
from sparsegnn.data.files import write_atomic
from sparsegnn.profiling.break_even import BreakEven
from sparsegnn.profiling.peers import COMPILED, COMPOSITE, DENSE, EAGER
from sparsegnn.profiling.result import Cell, Profile

_STYLES = {
    EAGER: ("s", ORANGE),
    COMPILED: ("v", AMBER),
    COMPOSITE: ("^", PURPLE),
    DENSE: ("D", GREEN),
}
_LAYER_STYLES = (("o", BLUE), ("s", SKY), ("^", INK), ("D", GREY))
_LABEL_GAP = 0.05


def plot_profile(path: Path, profile: Profile) -> None:
    """Writes the figure as a PNG, atomically.

    Left, how many times faster the program is than every peer, with the ratio of operations beside
    it. Right, where there are several sparsities, the race between sparse and dense weights in
    every layer.

    Args:
        path: The file to write.
        profile: What to draw.
    """
    races = [each for each in profile.break_even if len(each.races) > 1]
    panels = 2 if races else 1
    figure = Figure(figsize=(5.6 * panels, 4.6), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    _draw_speedups(axes[0], profile)
    if races:
        _draw_races(axes[1], races)
    for axis in axes:
        axis.grid(color="#dddddd", linewidth=0.6)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, **LEGEND)
    figure.suptitle(_title(profile), fontsize=10, color=INK)
    write_atomic(path, lambda stream: figure.savefig(stream, format="png"))


def _draw_speedups(axis: Any, profile: Profile) -> None:
    key = _varied(profile.cells)
    cells = sorted(profile.cells, key=key)
    places = [_depth(key(cell)) for cell in cells]
    drawn = [1.0]
    for peer in _shown(profile):
        ratios = [profile.speedup(cell, peer) for cell in cells]
        marker, color = _STYLES[peer.split(",")[0]]
        drawn += [ratio.median for ratio in ratios]
        spread = [[r.median - r.low for r in ratios], [r.high - r.median for r in ratios]]
        axis.errorbar(
            places,
            [ratio.median for ratio in ratios],
            yerr=spread,
            fmt=f"{marker}-",
            color=color,
            label=f"faster than {peer.split(',')[0]}",
            markersize=5,
            linewidth=1.4,
            elinewidth=0.9,
            capsize=2,
        )
    base = "executed_dense_features"
    fewer = [profile.fewer_macs(cell).get(base, math.nan) for cell in cells]
    drawn += [ratio for ratio in fewer if math.isfinite(ratio)]
    label = "fewer MACs in theory (dense features)"
    axis.plot(places, fewer, "x--", color=GREY, linewidth=1.3, label=label)
    axis.axhline(1.0, color=INK, linewidth=0.9)
    _sparsity_ticks(axis, cells, key)
    _ratio_ticks(axis, drawn)
    axis.set_ylabel("Times faster, or fewer (log scale, bars: quartiles)", fontsize=9)


def _draw_races(axis: Any, races: Sequence[BreakEven]) -> None:
    drawn = [1.0]
    for each, (marker, color) in zip(races, _LAYER_STYLES * len(races), strict=False):
        ratios = [race.dense_ms / race.sparse_ms for race in each.races]
        drawn += ratios
        places = [_depth(race.weight_sparsity) for race in each.races]
        axis.plot(
            places, ratios, f"{marker}-", color=color, label=f"{each.layer}: {_verdict(each)}"
        )
        if each.sparsity is not None and not each.at_most:
            axis.plot(_depth(each.sparsity), 1.0, marker, ms=11, mfc="none", mec=color, mew=1.4)
    axis.axhline(1.0, color=INK, linewidth=0.9)
    axis.annotate(
        "above: the sparse weight wins", (1.0, 1.0), (-2, 4), fontsize=8, color=GREY, ha="right",
        xycoords=("axes fraction", "data"), textcoords="offset points",
    )  # fmt: skip
    shares = sorted({race.weight_sparsity for each in races for race in each.races})
    _share_ticks(axis, shares, [f"{100 * share:g}" for share in shares])
    axis.set_xlabel("Weights removed (%, log scale of what is left)")
    _ratio_ticks(axis, drawn)
    axis.set_ylabel("Times faster than the dense weight (log scale)", fontsize=9)


def _verdict(each: BreakEven) -> str:
    if each.sparsity is None:
        return "no break-even in the range"
    return f"break-even {'at most' if each.at_most else 'at'} {100 * each.sparsity:.0f} %"


def _shown(profile: Profile) -> list[str]:
    """Every peer, and of the composites the fastest."""
    composites = [peer for peer in profile.peers if peer.startswith(COMPOSITE)]
    best = min(composites, key=lambda peer: profile.peers[peer].median_ms, default=None)
    return [peer for peer in profile.peers if peer not in composites or peer == best]


def _varied(cells: Sequence[Cell]) -> Callable[[Cell], float]:
    """The sparsity to draw against: that of the weights, unless the graph's alone varies."""
    if len({cell.weight_sparsity for cell in cells}) == 1:
        return lambda cell: cell.graph_sparsity
    return lambda cell: cell.weight_sparsity


def _sparsity_ticks(axis: Any, cells: Sequence[Cell], key: Callable[[Cell], float]) -> None:
    labels = [f"{100 * c.weight_sparsity:.3g}\n{100 * c.graph_sparsity:.3g}" for c in cells]
    _share_ticks(axis, [key(cell) for cell in cells], labels)
    axis.set_xlabel("Weights removed (%, log scale of what is left)\nsecond row: edges removed (%)")


def _share_ticks(axis: Any, shares: Sequence[float], labels: Sequence[str]) -> None:
    """A label at every share, unless it would touch its left neighbour's."""
    width = max(_depth(max(shares)), 1e-3)
    kept: list[tuple[float, str]] = []
    for share, label in zip(shares, labels, strict=True):
        place = _depth(share)
        if not kept or place - kept[-1][0] > _LABEL_GAP * width:
            kept.append((place, label))
    axis.set_xlim(-0.04 * width, 1.04 * width)
    axis.set_xticks([place for place, _ in kept], [label for _, label in kept])
    axis.xaxis.set_minor_locator(NullLocator())


def _ratio_ticks(axis: Any, values: Sequence[float]) -> None:
    low, high = min(values) / 1.4, max(values) * 1.4
    steps = [mantissa * 10.0**power for power in range(-4, 6) for mantissa in (1, 2, 5)]
    axis.set_yscale("log")
    axis.set_ylim(low, high)
    axis.set_yticks([step for step in steps if low <= step <= high])
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}x"))
    axis.yaxis.set_minor_formatter(NullFormatter())


def _depth(share: float) -> float:
    return -math.log1p(-min(share, 0.9999))


def _title(profile: Profile) -> str:
    where = f"{profile.machine.processor}, {profile.machine.threads} threads"
    busy = "; the machine was busy, measure again" if profile.busy else ""
    return f"{profile.title} on {profile.data}: one forward pass over all nodes\n{where}{busy}"
