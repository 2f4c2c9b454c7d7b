"""Ctrl-C that lasts.

Python drops an exception that is raised inside a destructor or a callback of the collector, and
with it a Ctrl-C that happens to arrive there. A search asks after every epoch whether it was one.
Native code turns one into errors of its own: whatever a search raises after a Ctrl-C is that.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from sparsegnn.cli.progress import Reporter
from sparsegnn.pruning import EpochEvent


class Interruptible:
    """A reporter that raises a Ctrl-C again at the next epoch."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self.interrupted = False

    def interrupt(self, number: int, frame: FrameType | None) -> NoReturn:
        """Handler of SIGINT."""
        self.interrupted = True
        raise KeyboardInterrupt

    def epoch(self, seed: int, what: str, rounds: int, event: EpochEvent) -> None:
        """See `Reporter.epoch`.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed before.
        """
        if self.interrupted:
            raise KeyboardInterrupt
        self._reporter.epoch(seed, what, rounds, event)

    def skip(self, epochs: int) -> None:
        """See `Reporter.skip`."""
        self._reporter.skip(epochs)

    def line(self, text: str) -> None:
        """See `Reporter.line`."""
        self._reporter.line(text)


@contextmanager
def interruptible(reporter: Reporter) -> Iterator[Reporter]:
    """The reporter to search with; handlers belong to the main thread, others go without."""
    wrapped = Interruptible(reporter)
    if threading.current_thread() is not threading.main_thread():
        yield wrapped
        return
    before = signal.signal(signal.SIGINT, wrapped.interrupt)
    try:
        yield wrapped
    except Exception as error:
        if wrapped.interrupted:
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.signal(signal.SIGINT, before)
