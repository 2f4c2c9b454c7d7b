from __future__ import annotations

import io
import re

from rich.console import Console

from sparsegnn.cli.config import make_config
from sparsegnn.cli.progress import LiveReporter, PlainReporter, reporting
from sparsegnn.cli.search import epochs_of_round, total_epochs
from sparsegnn.pruning import EpochEvent


def event(epoch: int, round: int = 2, epochs: int = 120) -> EpochEvent:
    return EpochEvent(round, "mask", epoch, epochs, 0.5, 0.8, 0.0975, 0.36)


def test_plain_lines_at_every_fiftieth_epoch_and_the_end() -> None:
    stream = io.StringIO()
    with reporting(Console(file=stream, width=40), total=120) as reporter:
        assert isinstance(reporter, PlainReporter)
        for epoch in range(1, 121):
            reporter.epoch(7, "ticket", 9, event(epoch))
    lines = stream.getvalue().splitlines()
    assert [re.search(r"masks (\d+)/120", line).group(1) for line in lines] == ["50", "100", "120"]
    for line in lines:
        assert "seed 7 · round 2/9" in line
        assert "loss 0.5000 · val 80.0 % · pruned: graph 9.8 %, weights 36.0 %" in line
        assert re.search(r"eta \d+:\d\d$", line)
    assert lines[-1].endswith("eta 0:00")


def test_live_bar_in_a_terminal() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100)
    with reporting(console, total=10) as reporter:
        assert isinstance(reporter, LiveReporter)
        reporter.epoch(7, "random", 9, event(1, epochs=5))
        reporter.skip(4)
        reporter.line("a line that stays")
        task = reporter._progress.tasks[0]
        assert (task.completed, task.total) == (1, 6)
    shown = stream.getvalue()
    assert "random masks 1/5" in shown
    assert "a line that stays" in shown


def test_epochs_add_up() -> None:
    config = make_config({"seeds": 2, "ugs": {"rounds": 3, "mask_epochs": 5, "train_epochs": 7}})
    assert [epochs_of_round(config, each, True) for each in range(4)] == [7, 19, 19, 19]
    assert total_epochs(config) == 2 * (7 + 3 * 19)
    assert total_epochs(config.model_copy(update={"random": "none"})) == 2 * (7 + 3 * 12)
    assert total_epochs(config.model_copy(update={"random": "headline"})) == 2 * (7 + 3 * 12 + 7)
