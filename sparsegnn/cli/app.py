"""The typer app: one function per command, each handing over to its own module."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

app = typer.Typer(
    name="sparsegnn",
    help="Find lottery tickets of graph neural networks, and see what they are worth.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

bench = typer.Typer(
    help="Measure what pruning is worth on this machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(bench, name="bench")


@app.callback()
def _setup() -> None:
    warnings.showwarning = _show_warning


@app.command()
def prune(
    method: Annotated[str | None, typer.Option(help="How tickets are found: ugs.")] = None,
    dataset: Annotated[
        str | None, typer.Option(help="cora, citeseer, pubmed, or the path of an npz file.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="TOML file with settings; flags win over it.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="First seed.")] = None,
    seeds: Annotated[int | None, typer.Option(help="How many seeds.")] = None,
    rounds: Annotated[int | None, typer.Option(help="Pruning rounds.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in the folder.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run in the folder.")
    ] = False,
    pairs: Annotated[
        str | None, typer.Option(help="undirected: both directions of an edge stay or go together.")
    ] = None,
    reference: Annotated[
        bool, typer.Option("--reference", help="Arithmetic of the published code.")
    ] = False,
    hidden: Annotated[int | None, typer.Option(help="Width of the hidden layers.")] = None,
    minutes: Annotated[
        float | None,
        typer.Option(help="Start no round that would end past this many minutes of searching."),
    ] = None,
    random: Annotated[
        str | None, typer.Option(help="Rounds with a random ticket: all, headline, none.")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads.")] = None,
    no_measure: Annotated[bool, typer.Option("--no-measure", help="Skip the timings.")] = False,
) -> None:
    """Find tickets, keep them as files, and measure what they are worth."""
    from sparsegnn.cli.prune import run_prune

    ugs = _given(rounds=rounds, pairs=pairs, reference=reference or None)
    flags = _given(
        method=method,
        dataset=dataset,
        seed=seed,
        seeds=seeds,
        hidden=hidden,
        minutes=minutes,
        random=random,
        threads=threads,
        measure=False if no_measure else None,
        ugs=ugs or None,
    )
    run_prune(Console(), flags, toml=config, out=out, resume=resume, overwrite=overwrite)


@app.command()
def inspect(
    ticket: Annotated[Path, typer.Argument(help="Ticket file.")],
    hash_only: Annotated[
        bool, typer.Option("--hash", help="Print the SHA-256 of the content and nothing else.")
    ] = False,
) -> None:
    """Show what a ticket file holds."""
    from sparsegnn.cli.inspect import run_inspect

    run_inspect(Console(), ticket, hash_only=hash_only)


@app.command()
def doctor(
    network: Annotated[
        bool, typer.Option("--network", help="Also download Cora from every network source.")
    ] = False,
) -> None:
    """Show versions, processor, kernels and data sources."""
    from sparsegnn.cli.doctor import run_doctor

    run_doctor(Console(), network=network)


@app.command()
def datasets() -> None:
    """List the known datasets and where each can be had."""
    from sparsegnn.cli.datasets import run_datasets

    run_datasets(Console())


@bench.command("model")
def bench_model(
    model: Annotated[
        str | None, typer.Argument(help="GCN, GIN, GraphSAGE, GAT or GATv2 of PyG; GCN by default.")
    ] = None,
    dataset: Annotated[
        str, typer.Option(help="A dataset with features and labels, or the path of an npz file.")
    ] = "cora",
    ticket: Annotated[
        Path | None, typer.Option(help="A ticket file, in place of a model and random masks.")
    ] = None,
    graph_sparsity: Annotated[
        str | None,
        typer.Option(help="Percentages of edges to remove, commas between; 0,20,40,60 by default."),
    ] = None,
    weight_sparsity: Annotated[
        str | None,
        typer.Option(help="The same for weights, paired with them; 0,60,90,98 by default."),
    ] = None,
    hidden: Annotated[int | None, typer.Option(help="Hidden width; 512 by default.")] = None,
    layers: Annotated[int | None, typer.Option(help="Layers; 2 by default.")] = None,
    heads: Annotated[int | None, typer.Option(help="Attention heads; 8 by default.")] = None,
    seed: Annotated[int, typer.Option(help="Of weights and masks.")] = 0,
    seconds: Annotated[float, typer.Option(help="Time for the measured rounds.")] = 10.0,
    threads: Annotated[int | None, typer.Option(help="CPU threads.")] = None,
    no_torch_compile: Annotated[
        bool, typer.Option("--no-torch-compile", help="Leave PyG under torch.compile out.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in place of tables.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for profile.json and profile.png.")
    ] = None,
) -> None:
    """Show what pruning a model is worth: plans, operations, and time against PyG and torch."""
    from sparsegnn.cli.bench_model import BenchModel, run_bench_model

    asked = BenchModel(
        model=model,
        dataset=dataset,
        ticket=ticket,
        graph_sparsity=graph_sparsity,
        weight_sparsity=weight_sparsity,
        hidden=hidden,
        layers=layers,
        heads=heads,
        seed=seed,
        seconds=seconds,
        torch_compile=not no_torch_compile,
    )
    run_bench_model(Console(), asked, threads=threads, as_json=as_json, out=out)


def _given(**flags: Any) -> dict[str, Any]:
    return {name: value for name, value in flags.items() if value is not None}


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    Console(stderr=True).print(f"warning: {message}", soft_wrap=True, highlight=False, markup=False)
