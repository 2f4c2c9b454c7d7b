"""What a run shows: its first line, its figure, and the tables at its end."""

from __future__ import annotations

from pathlib import Path

import torch
from rich.console import Console

from sparsegnn.analysis import Level, Timed, plot_run
from sparsegnn.cli.config import PruneConfig
from sparsegnn.cli.environment import environment
from sparsegnn.cli.folder import RunFolder
from sparsegnn.cli.record import RunRecord
from sparsegnn.cli.stats import Headline
from sparsegnn.cli.tables import accuracy_table, sparsity_table, time_table, work_table
from sparsegnn.data import NodeDataset


def print_head(console: Console, config: PruneConfig, data: NodeDataset) -> None:
    """Prints what is run on what."""
    settings = config.method_config
    console.print(
        f"{_title(config)}: {data.num_nodes:,} nodes, {data.graph.num_edges:,} edges, "
        f"{data.num_features:,} features from {data.source}; {settings.rounds} rounds of "
        f"{100 * settings.graph_rate:g} % {settings.pairs} edges and "
        f"{100 * settings.weight_rate:g} % weights",
        soft_wrap=True,
        highlight=False,
    )


def draw(record: RunRecord, path: Path) -> None:
    """Writes the figure of a finished search."""
    config, dense = record.config, record.summary[0]
    levels = [
        Level(
            round=each.round,
            graph_sparsity=each.graph_sparsity,
            weight_sparsity=each.weight_sparsity,
            accuracy=each.test.mean,
            sd=each.test.sd,
            random_accuracy=None if each.random_test is None else each.random_test.mean,
            random_sd=None if each.random_test is None else each.random_test.sd,
        )
        for each in record.summary
    ]
    timed = [
        Timed(row.kind, row.forward.median, dense.test.mean)
        for row in record.programs
        if row.forward is not None and row.kind != "ticket"
    ]
    timed += [
        Timed("ticket", milliseconds, record.summary[round].test.mean, round)
        for round, milliseconds, _ in record.curve
    ]
    headline = None if record.headline is None else record.headline.round
    plot_run(path, _title(config), levels, timed, headline, busy=record.busy)


def print_results(console: Console, record: RunRecord, folder: RunFolder) -> None:
    """Prints every table, the reason for the headline, and the files."""
    headline, sparsity = record.headline, record.sparsity
    assert headline is not None and sparsity is not None
    console.print()
    console.print(accuracy_table(record.summary[0], record.summary[headline.round]))
    console.print(_why(headline), soft_wrap=True, highlight=False)
    console.print(sparsity_table(sparsity))
    if record.programs:
        console.print(work_table(record.programs))
        console.print(time_table(record.programs, _where(), record.busy))
    names = [*record.files, folder.metrics.name, folder.plot.name]
    console.print(f"{folder.path}: {', '.join(names)}", soft_wrap=True, highlight=False)


def _title(config: PruneConfig) -> str:
    seeds = "1 seed" if config.seeds == 1 else f"{config.seeds} seeds"
    name = Path(config.dataset).stem
    return f"{config.method.upper()} on {name}, GCN {config.layers} x {config.hidden}, {seeds}"


def _why(headline: Headline) -> str:
    tolerance = f"{100 * headline.tolerance:.1f} points"
    if headline.within:
        return (
            f"Round {headline.round} is the sparsest whose validation accuracy is within "
            f"{tolerance} of the dense model's; the test set played no part in the choice."
        )
    return (
        f"No round keeps validation accuracy within {tolerance} of the dense model's, "
        f"so the last one, round {headline.round}, is shown."
    )


def _where() -> str:
    found = environment()
    return f"{found['processor']}, {found['threads']} threads, torch {torch.__version__}"
