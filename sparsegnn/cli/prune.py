"""`sparsegnn prune`: search, save, measure, draw, and print what the ticket is worth."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import typer
from rich.console import Console

from sparsegnn.analysis import Level, Timed, plot_run
from sparsegnn.cli.config import PruneConfig, make_config, read_toml
from sparsegnn.cli.environment import environment
from sparsegnn.cli.folder import RunFolder, write_json
from sparsegnn.cli.measure import curve_rounds, measure_programs, measure_ticket
from sparsegnn.cli.progress import reporting
from sparsegnn.cli.record import RunRecord
from sparsegnn.cli.search import Search, total_epochs
from sparsegnn.cli.stats import Headline, choose_headline, summarize
from sparsegnn.cli.tables import accuracy_table, sparsity_table, time_table, work_table
from sparsegnn.data import NodeDataset, load_dataset
from sparsegnn.tickets import Ticket

INTERRUPTED = 130


def run_prune(
    console: Console,
    flags: Mapping[str, Any],
    *,
    toml: Path | None,
    out: Path | None,
    resume: bool,
) -> None:
    """Runs the whole job.

    Args:
        console: Where progress and tables go.
        flags: Settings given on the command line.
        toml: File with settings; flags win over it.
        out: Folder of the run; by default `out/<method>-<dataset>`.
        resume: Go on with the run in the folder, with its settings where none are given.

    Raises:
        CliError: The settings or the folder do not allow it.
        DataError: The dataset cannot be had.
    """
    config, folder = _settle(flags, toml, out, resume)
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    data = load_dataset(config.dataset).row_normalized()
    folder.start(config, resume)
    try:
        _run(console, config, folder, data)
    except KeyboardInterrupt as error:
        console.print(
            f"stopped; finished rounds are kept, go on with: "
            f"sparsegnn prune --resume --out {folder.path}",
            soft_wrap=True,
            highlight=False,
        )
        raise typer.Exit(INTERRUPTED) from error


def _settle(
    flags: Mapping[str, Any], toml: Path | None, out: Path | None, resume: bool
) -> tuple[PruneConfig, RunFolder]:
    given = read_toml(toml) if toml is not None else {}
    config = make_config(given, flags, where=str(toml) if toml is not None else "settings")
    name = f"{config.method}-{Path(config.dataset).stem}"
    folder = RunFolder(out if out is not None else Path("out") / name)
    if resume:
        saved = folder.saved_config().model_dump()
        config = make_config(saved, given, flags, where=str(folder.config))
    return config, folder


def _run(console: Console, config: PruneConfig, folder: RunFolder, data: NodeDataset) -> None:
    _print_head(console, config, data)
    record = RunRecord(config, data)
    with reporting(console, total_epochs(config)) as reporter:
        search = Search(config, data, folder, reporter)
        headline = _search(search, record)
    tickets = _save_tickets(search, record, headline.round)
    write_json(folder.metrics, record.to_json("searched"))
    if config.measure:
        _measure(console, search, record, tickets[config.seed])
    write_json(folder.metrics, record.to_json("finished"))
    _plot(record, folder)
    _print_results(console, record, folder)


def _search(search: Search, record: RunRecord) -> Headline:
    for seed in search.config.seed_list:
        record.seeds.append(search.run(seed))
        _summarize(record)
        write_json(search.folder.metrics, record.to_json("searching"))
    headline = record.headline = choose_headline(record.summary)
    if search.config.random == "headline":
        for each in record.seeds:
            search.add_random(each, headline.round)
        _summarize(record)
    return headline


def _summarize(record: RunRecord) -> None:
    rounds = [each.rounds for each in record.seeds]
    record.summary = summarize(rounds, [each.random for each in record.seeds])


def _save_tickets(search: Search, record: RunRecord, round: int) -> dict[int, Ticket]:
    """Writes every seed's headline ticket; returns the tickets by seed."""
    tickets = {}
    for seed in search.config.seed_list:
        ticket = search.ticket(seed, round)
        path = search.folder.ticket(seed, round)
        ticket.save(path)
        record.files[path.name] = ticket.sha256()
        tickets[seed] = ticket
    record.sparsity = tickets[search.config.seed].sparsity(search.data.graph)
    return tickets


def _measure(console: Console, search: Search, record: RunRecord, ticket: Ticket) -> None:
    seed = search.config.seed
    with console.status("timing the programs"):
        record.programs = measure_programs(search, ticket)
        last, results = record.summary[-1].round, record.seeds[0].rounds
        for round in curve_rounds(last, ticket.round):
            milliseconds = measure_ticket(search, search.ticket(seed, round))
            record.curve.append((round, milliseconds, results[round].test_accuracy))


def _plot(record: RunRecord, folder: RunFolder) -> None:
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
    plot_run(folder.plot, _title(config), levels, timed, headline)


def _title(config: PruneConfig) -> str:
    seeds = "1 seed" if config.seeds == 1 else f"{config.seeds} seeds"
    name = Path(config.dataset).stem
    return f"{config.method.upper()} on {name}, GCN {config.layers} x {config.hidden}, {seeds}"


def _print_head(console: Console, config: PruneConfig, data: NodeDataset) -> None:
    settings = config.method_config
    console.print(
        f"{_title(config)}: {data.num_nodes:,} nodes, {data.graph.num_edges:,} edges, "
        f"{data.num_features:,} features from {data.source}; {settings.rounds} rounds of "
        f"{100 * settings.graph_rate:g} % {settings.pairs} edges and "
        f"{100 * settings.weight_rate:g} % weights",
        soft_wrap=True,
        highlight=False,
    )


def _print_results(console: Console, record: RunRecord, folder: RunFolder) -> None:
    headline, sparsity = record.headline, record.sparsity
    assert headline is not None and sparsity is not None
    console.print()
    console.print(accuracy_table(record.summary[0], record.summary[headline.round]))
    console.print(_why(headline), soft_wrap=True, highlight=False)
    console.print(sparsity_table(sparsity))
    if record.programs:
        console.print(work_table(record.programs))
        console.print(time_table(record.programs, _where()))
    names = [*record.files, folder.metrics.name, folder.plot.name]
    console.print(f"{folder.path}: {', '.join(names)}", soft_wrap=True, highlight=False)


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
