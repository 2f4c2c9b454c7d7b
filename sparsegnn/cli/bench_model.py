"""`sparsegnn bench model`: what pruning a model is worth on this machine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from sparsegnn.cli.bench_tables import (
    break_even_lines,
    macs_table,
    peer_table,
    plan_table,
    realisation_table,
    speedup_table,
)
from sparsegnn.cli.environment import environment
from sparsegnn.cli.errors import CliError
from sparsegnn.cli.folder import write_json
from sparsegnn.profiling import (
    KINDS,
    Profile,
    Pruned,
    RandomMasks,
    Subject,
    load_data,
    make_subject,
    of_ticket,
    profile,
)
from sparsegnn.tickets import Ticket

SCHEMA, VERSION = "sparsegnn-profile", 1
_NAMES = {"sage": "GraphSAGE", **{kind.lower(): kind for kind in KINDS}}


@dataclass(frozen=True)
class BenchModel:
    """What was asked for; None where the default holds.

    Attributes:
        model: One of `KINDS`, in any case.
        dataset: A known name, or the path of an npz file.
        ticket: A ticket file, in place of random masks.
        graph_sparsity: Percentages, with commas.
        weight_sparsity: The same.
        hidden: Width of the hidden layers.
        layers: Number of layers.
        heads: Attention heads.
        seed: Of weights and masks.
        seconds: Time for the rounds.
        torch_compile: Include PyG under `torch.compile`.
    """

    model: str | None = None
    dataset: str = "cora"
    ticket: Path | None = None
    graph_sparsity: str | None = None
    weight_sparsity: str | None = None
    hidden: int | None = None
    layers: int | None = None
    heads: int | None = None
    seed: int = 0
    seconds: float = 10.0
    torch_compile: bool = True


def run_bench_model(
    console: Console, asked: BenchModel, *, threads: int | None, as_json: bool, out: Path | None
) -> None:
    """Measures, prints tables or JSON, and writes JSON and a figure into a folder.

    Raises:
        CliError: An argument is out of range, or two exclude each other.
        ValueError: Model, dataset or ticket do not fit.
    """
    if asked.seconds <= 0:
        raise CliError(f"seconds must be positive, got {asked.seconds:g}")
    if threads is not None and threads < 1:
        raise CliError(f"threads must be at least 1, got {threads}")
    if out is not None and out.exists() and not out.is_dir():
        raise CliError(f"out must be a folder, got the file {out}")
    subject, cells = _subject(asked)
    if threads is not None:
        torch.set_num_threads(threads)
    with Console(stderr=True).status("starting") as status:
        found = profile(
            subject,
            cells,
            torch_compile=asked.torch_compile,
            seconds=asked.seconds,
            on_progress=status.update,
        )
    record = {
        "schema": SCHEMA,
        "version": VERSION,
        "environment": environment(),
        **found.to_json(),
    }
    if out is not None:
        _write(out, found, record)
    if as_json:
        print(json.dumps(record, indent=1, allow_nan=False))
        return
    _show(console, found)
    if out is not None:
        console.print(f"{out}: profile.json, profile.png", soft_wrap=True, highlight=False)


def _subject(asked: BenchModel) -> tuple[Subject, list[Pruned]]:
    if asked.ticket is None:
        pairs = sparsity_pairs(asked.graph_sparsity, asked.weight_sparsity)
        sizes = {
            name: value
            for name in ("hidden", "layers", "heads")
            if (value := getattr(asked, name)) is not None
        }
        kind = asked.model or "GCN"
        kind = _NAMES.get(kind.lower(), kind)
        subject = make_subject(kind, load_data(asked.dataset), seed=asked.seed, **sizes)
        masks = RandomMasks(subject, asked.seed)
        return subject, [masks.prune(*pair) for pair in pairs]
    names = ("model", "graph_sparsity", "weight_sparsity", "hidden", "layers", "heads")
    for name in names:
        if getattr(asked, name) is not None:
            raise CliError(f"ticket and {name.replace('_', '-')} exclude each other")
    subject, pruned = of_ticket(Ticket.load(asked.ticket), load_data(asked.dataset))
    return subject, [pruned]


def sparsity_pairs(graph: str | None, weights: str | None) -> list[tuple[float, float]]:
    """Pairs of shares; a single percentage goes with every one of the other list.

    Raises:
        CliError: A percentage is none, or the lists have different lengths.
    """
    if graph is None and weights is None:
        graph, weights = "0,20,40,60", "0,60,90,98"
    left = _shares("graph-sparsity", graph or "0")
    right = _shares("weight-sparsity", weights or "0")
    if len(left) == 1:
        left *= len(right)
    if len(right) == 1:
        right *= len(left)
    if len(left) != len(right):
        raise CliError(
            "graph-sparsity and weight-sparsity must have as many numbers, or one of them one, "
            f"got {len(left)} and {len(right)}"
        )
    return list(zip(left, right, strict=True))


def _shares(name: str, text: str) -> list[float]:
    try:
        shares = [float(each) / 100 for each in text.split(",")]
    except ValueError:
        shares = []
    if not shares or not all(0 <= share < 1 for share in shares):
        raise CliError(
            f"{name} must be percentages from 0 to below 100 with commas between, got {text!r}"
        )
    return shares


def _show(console: Console, found: Profile) -> None:
    machine = found.machine
    console.print(
        f"{found.title} on {found.data}: {found.num_nodes:,} nodes, {found.num_edges:,} edges, "
        f"{found.num_features:,} features, {100 * found.feature_density:.2g} % of them not 0",
        soft_wrap=True,
        highlight=False,
    )
    console.print(
        f"{machine.processor}, {machine.threads} threads, torch {machine.torch_version}; measured: "
        f"copy {machine.bytes_per_s / 1e9:.3g} GB/s, dense product "
        f"{machine.macs_per_s / 1e9:.3g} GMAC/s",
        soft_wrap=True,
        highlight=False,
    )
    for table in (plan_table, macs_table, peer_table, speedup_table, realisation_table):
        console.print(table(found))
    console.print("\n[bold]Break-even of every layer[/bold]")
    lines = break_even_lines(found.break_even)
    for line in lines or ["no layer was measured with both kinds of weights"]:
        console.print(line, soft_wrap=True, highlight=False)


def _write(out: Path, found: Profile, record: dict[str, Any]) -> None:
    from sparsegnn.profiling.plot import plot_profile

    write_json(out / "profile.json", record)
    plot_profile(out / "profile.png", found)
