"""`sparsegnn prune`: search, save, measure, draw, and print what the ticket is worth."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import typer
from rich.console import Console

from sparsegnn.cli.config import PruneConfig, make_config, read_toml
from sparsegnn.cli.errors import CliError
from sparsegnn.cli.folder import RunFolder, write_json
from sparsegnn.cli.interrupt import interruptible
from sparsegnn.cli.measure import curve_rounds, measure_programs, measure_tickets
from sparsegnn.cli.progress import reporting
from sparsegnn.cli.record import RunRecord
from sparsegnn.cli.search import Search, total_epochs
from sparsegnn.cli.show import draw, print_head, print_results
from sparsegnn.cli.stats import Headline, choose_headline, summarize
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
    overwrite: bool = False,
) -> None:
    """Runs the whole job.

    Args:
        console: Where progress and tables go.
        flags: Settings given on the command line.
        toml: File with settings; flags win over it.
        out: Folder of the run; by default `out/<method>-<dataset>`.
        resume: Go on with the run in the folder, with its settings where none are given; only
            the time limit and `--no-measure` are those of this call.
        overwrite: Replace the run in the folder.

    Raises:
        CliError: The settings or the folder do not allow it.
        DataError: The dataset cannot be had.
    """
    if resume and overwrite:
        raise CliError("--resume and --overwrite exclude each other")
    config, folder = _settle(flags, toml, out, resume)
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    data = load_dataset(config.dataset).row_normalized()
    folder.start(config, resume, overwrite)
    try:
        _run(console, config, folder, data)
    except KeyboardInterrupt as error:
        console.print(
            f"stopped; finished rounds are kept, go on with: "
            f"sparsegnn prune --resume --out {shlex.quote(str(folder.path))}",
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
        saved = folder.saved_config().model_dump(exclude={"measure", "minutes"})
        config = make_config(saved, given, flags, where=str(folder.config))
    return config, folder


def _run(console: Console, config: PruneConfig, folder: RunFolder, data: NodeDataset) -> None:
    print_head(console, config, data)
    record = RunRecord(config, data)
    with reporting(console, total_epochs(config)) as plain, interruptible(plain) as reporter:
        search = Search(config, data, folder, reporter)
        headline = _search(search, record)
    tickets = _save_tickets(search, record, headline.round)
    write_json(folder.metrics, record.to_json("searched"))
    if config.measure:
        _measure(console, search, record, tickets[config.seed])
    write_json(folder.metrics, record.to_json("finished"))
    draw(record, folder.plot)
    print_results(console, record, folder)


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
        ticket = search.collect(seed, {round})[round]
        path = search.folder.ticket(seed, round)
        ticket.save(path)
        record.files[path.name] = ticket.sha256()
        tickets[seed] = ticket
    record.sparsity = tickets[search.config.seed].sparsity(search.data.graph)
    return tickets


def _measure(console: Console, search: Search, record: RunRecord, ticket: Ticket) -> None:
    seed = search.config.seed
    with console.status("") as status:

        def say(text: str) -> None:
            if console.is_terminal:
                status.update(text)
            else:
                console.print(text)

        record.programs, record.busy = measure_programs(search, ticket, say)
        say("timing the tickets of other rounds")
        rounds = curve_rounds(record.summary[-1].round, ticket.round)
        results = record.seeds[0].rounds
        times, busy = measure_tickets(search, search.collect(seed, rounds))
        record.busy |= busy
        for round, milliseconds in times.items():
            record.curve.append((round, milliseconds, results[round].test_accuracy))
