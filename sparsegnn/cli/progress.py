"""Progress of a run: a live bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from sparsegnn.pruning import EpochEvent

_PLAIN_EVERY = 50


class Reporter(Protocol):
    """What a run tells while it works."""

    def epoch(self, seed: int, what: str, rounds: int, event: EpochEvent) -> None:
        """Tells of one finished epoch; `what` is "ticket" or "random"."""

    def skip(self, epochs: int) -> None:
        """Counts epochs that were already done, or that will not be."""

    def line(self, text: str) -> None:
        """Tells something that stays on the screen."""


def describe(seed: int, what: str, rounds: int, event: EpochEvent) -> str:
    """Returns where a run is, in words."""
    stage = {"mask": "masks", "train": "retrain"}[event.stage] if event.round else "dense"
    name = "random " if what == "random" else ""
    return (
        f"seed {seed} · round {event.round}/{rounds} · {name}{stage} {event.epoch}/{event.epochs}"
    )


def figures(event: EpochEvent) -> str:
    """Returns the figures of one epoch."""
    return (
        f"loss {event.loss:.4f} · val {100 * event.val_accuracy:.1f} % · "
        f"pruned: graph {100 * event.graph_sparsity:.1f} %, "
        f"weights {100 * event.weight_sparsity:.1f} %"
    )


class LiveReporter:
    """A bar with the time left, and two lines of text above it."""

    def __init__(self, console: Console, progress: Progress, live: Live, total: int) -> None:
        self._console, self._progress, self._live = console, progress, live
        self._task = progress.add_task("", total=total)

    def epoch(self, seed: int, what: str, rounds: int, event: EpochEvent) -> None:
        """See `Reporter.epoch`."""
        text = Text(f"{describe(seed, what, rounds, event)}\n{figures(event)}", style="cyan")
        self._live.update(Group(text, self._progress))
        self._progress.advance(self._task)

    def skip(self, epochs: int) -> None:
        """See `Reporter.skip`; the bar gets shorter, so that the time left stays right."""
        total = self._progress.tasks[0].total or 0
        self._progress.update(self._task, total=max(total - epochs, 0))

    def line(self, text: str) -> None:
        """See `Reporter.line`."""
        self._console.print(text, highlight=False)


class PlainReporter:
    """One line at the end of a stage and about every 50 epochs."""

    def __init__(self, console: Console, total: int) -> None:
        self._console, self._left = console, total
        self._start, self._done = time.monotonic(), 0

    def epoch(self, seed: int, what: str, rounds: int, event: EpochEvent) -> None:
        """See `Reporter.epoch`."""
        self._done += 1
        self._left -= 1
        if event.epoch % _PLAIN_EVERY and event.epoch != event.epochs:
            return
        place, values = describe(seed, what, rounds, event), figures(event)
        self.line(f"{place} · {values} · eta {self._eta()}")

    def skip(self, epochs: int) -> None:
        """See `Reporter.skip`."""
        self._left -= epochs

    def line(self, text: str) -> None:
        """See `Reporter.line`."""
        self._console.print(text, soft_wrap=True, highlight=False)

    def _eta(self) -> str:
        seconds = (time.monotonic() - self._start) / self._done * max(self._left, 0)
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


@contextmanager
def reporting(console: Console, total: int) -> Iterator[Reporter]:
    """Opens the reporter that fits the console.

    Args:
        console: Where to write.
        total: Epochs of the whole run.
    """
    if not console.is_terminal:
        yield PlainReporter(console, total)
        return
    progress = Progress(
        TextColumn("epochs"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TextColumn("eta"),
        TimeRemainingColumn(),
        console=console,
        expand=True,
        speed_estimate_period=120,
    )
    with Live(progress, console=console, refresh_per_second=8, transient=True) as live:
        yield LiveReporter(console, progress, live, total)
