"""Compiles a model at several sparsities and times the programs beside their peers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from sparsegnn.compiler.api import compile
from sparsegnn.compiler.compiled import CompiledModel
from sparsegnn.compiler.timing import Timing, interleaved
from sparsegnn.profiling.break_even import break_even
from sparsegnn.profiling.machine import calibrate
from sparsegnn.profiling.peers import Peers, make_peers
from sparsegnn.profiling.result import Cell, Profile
from sparsegnn.profiling.subject import Pruned, Subject

_ROUNDS = 31


def profile(
    subject: Subject,
    cells: Sequence[Pruned],
    *,
    torch_compile: bool = True,
    seconds: float = 10.0,
    on_progress: Callable[[str], None] | None = None,
) -> Profile:
    """Compiles every cell, then times all of them and all peers in turn, within one run.

    Args:
        subject: The model that the peers run, unpruned.
        cells: The same model at one or several sparsities.
        torch_compile: Include PyG under `torch.compile`.
        seconds: Time for the rounds, after which no further one starts; at least three run.
        on_progress: Told what is being done.

    Raises:
        ValueError: There is no cell.
    """
    if not cells:
        raise ValueError("cells must hold at least one pair of sparsities, got none")
    say = on_progress or (lambda message: None)
    say("measuring the machine")
    data = subject.data
    machine = calibrate(data.graph.device)
    say("preparing the peers")
    peers = make_peers(subject, torch_compile=torch_compile)
    programs: list[CompiledModel] = []
    for cell in cells:
        shares = f"{100 * cell.graph_sparsity:.3g} / {100 * cell.weight_sparsity:.3g}"
        say(f"compiling at {shares} % of edges / weights pruned")
        programs.append(compile(cell.model, data.graph, data.x, edge_mask=cell.edge_mask))
    say("timing everything in turn")
    timed = _timings(peers, programs, subject, seconds)
    found = tuple(
        Cell(each.graph_sparsity, each.weight_sparsity, timed[str(place)], program.report())
        for place, (each, program) in enumerate(zip(cells, programs, strict=True))
    )
    reports = [(cell.weight_sparsity, cell.report) for cell in found]
    return Profile(
        title=subject.title,
        data=data.name,
        num_nodes=data.graph.num_nodes,
        num_edges=data.graph.num_edges,
        num_features=data.x.shape[1],
        feature_density=data.x.density,
        machine=machine,
        peers={name: timed[name] for name in peers.runs},
        missing=peers.missing,
        difference=peers.difference,
        cells=found,
        break_even=break_even(sorted(reports, key=lambda pair: pair[0])),
    )


def _timings(
    peers: Peers, programs: Sequence[CompiledModel], subject: Subject, seconds: float
) -> dict[str, Timing]:
    ours = {str(place): program.forward for place, program in enumerate(programs)}
    functions: dict[str, Callable[[], object]] = {**peers.runs, **ours}
    device = subject.data.graph.device
    with torch.inference_mode():
        return interleaved(functions, rounds=_ROUNDS, budget_s=seconds, device=device)
