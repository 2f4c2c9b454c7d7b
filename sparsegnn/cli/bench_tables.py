"""The tables of `bench model`."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from sparsegnn.cli.cells import (
    SLOWER,
    byte_count,
    millions,
    milliseconds,
    new_table,
    ratio,
    three_digits,
)
from sparsegnn.compiler.macs import MacCount
from sparsegnn.compiler.report import Bytes, LayerReport
from sparsegnn.compiler.timing import Timing
from sparsegnn.profiling import BreakEven, Cell, Profile
from sparsegnn.profiling.peers import DENSE, EAGER

_BOUNDS = {"memory": "mem", "arithmetic": "math"}


def plan_table(profile: Profile) -> Table:
    """Per cell and layer: the plan that is executed, and those that were rejected."""
    table = new_table(
        "Plans of every layer",
        *("edges/weights %", "", "time ms", "MACs", "touched", "roof ms", "of roof"),
    )
    table.columns[1].justify, table.columns[1].no_wrap = "left", False
    for cell in profile.cells:
        table.add_row(f"[bold]{_shares(cell)}[/bold]")
        for layer in cell.report.layers:
            for row in _layer_rows(profile, layer):
                table.add_row(*row)
    table.caption = (
        "● executed, · rejected; lower quartiles of what the compiler measured, which decided\n"
        "touched: operands, inputs and results of the plan\n"
        "roof: the least that memory (mem) or arithmetic (math) allows; caches may beat it"
    )
    return table


def _layer_rows(profile: Profile, layer: LayerReport) -> Iterator[tuple[str, ...]]:
    yield layer.name, f"[bold]● {layer.chosen}[/bold]", *_chosen(profile, layer)
    for candidate in layer.candidates:
        if candidate.name != layer.chosen:
            ms = "not measured" if candidate.ms is None else three_digits(candidate.ms)
            yield "", f"· {candidate.name}", ms, millions(candidate.macs), "", "", ""


def _chosen(profile: Profile, layer: LayerReport) -> tuple[str, ...]:
    roof, bound = profile.machine.roof_ms(layer.macs.executed, layer.touched_bytes)
    times = [each.ms for each in layer.candidates if each.name == layer.chosen]
    ms = times[0] if times else None
    return (
        "the only one" if ms is None else three_digits(ms),
        millions(layer.macs.executed),
        byte_count(layer.touched_bytes),
        f"{three_digits(roof)} {_BOUNDS[bound]}",
        "" if not ms else f"{100 * roof / ms:.0f} %",
    )


def macs_table(profile: Profile) -> Table:
    """Operations on every base, and bytes, of the dense model and of every cell."""
    table = new_table(
        "Work of one forward pass",
        *("edges/weights %", "MACs: papers", "dense x", "executed", "weights", "graph"),
    )
    first = profile.cells[0].report
    table.add_row("dense model", *_work(first.macs_dense, first.memory_dense))
    for cell in profile.cells:
        table.add_row(_shares(cell), *_work(cell.report.macs, cell.report.memory))
        table.add_row("  without zeros", *_counts(cell.report.macs_kept))
    table.caption = (
        "papers: dense features, graph first, no self loops, nominal shares\n"
        "dense x: the executed order, with dense features\n"
        "executed: the executed order, with features as they are held\n"
        "without zeros: what pruning leaves to multiply, where the program may do otherwise"
    )
    return table


def _work(macs: MacCount | None, memory: Bytes) -> tuple[str, ...]:
    return *_counts(macs), byte_count(memory.weights), byte_count(memory.graph)


def _counts(macs: MacCount | None) -> tuple[str, ...]:
    if macs is None:
        return ("unknown",) * 3
    return tuple(map(millions, (macs.papers, macs.executed_dense_features, macs.executed)))


def peer_table(profile: Profile) -> Table:
    """What others need for the unpruned model, and why some are not there."""
    table = new_table("Forward pass of the unpruned model", "program", "ms")
    for name, timing in profile.peers.items():
        table.add_row(name, _ms(timing))
    for name, reason in profile.missing.items():
        table.add_row(name, reason)
    table.caption = (
        f"median (quartiles); results differ by {profile.difference:.0e} of the largest at most"
    )
    return table


def speedup_table(profile: Profile) -> Table:
    """Every cell's time, and how many times faster it is than every peer."""
    table = new_table(
        "Compiled, and how many times faster than",
        *("edges/weights %", "ms", *(_stacked(peer) for peer in profile.peers)),
    )
    for cell in profile.cells:
        ratios = (ratio(profile.speedup(cell, peer).median) for peer in profile.peers)
        table.add_row(_shares(cell), _ms(cell.timing), *ratios)
    notes = [f"medians of {profile.cells[0].timing.rounds} rounds in turn; {SLOWER} slower"]
    notes += [
        f"{_shares(cell)}: {cell.report.reason}"
        for cell in profile.cells
        if cell.report.plan == "dense"
    ]
    if profile.busy:
        notes.append("other processes held the cores meanwhile: measure again")
    table.caption = "\n".join(notes)
    return table


def realisation_table(profile: Profile) -> Table:
    """Times fewer operations by base, and which share of that the clock shows."""
    table = new_table(
        "Realisation",
        *("edges/weights %", "fewer MACs:\npapers", "\ndense x", "\nexecuted"),
        *(f"{EAGER}:\ndense x", f"{DENSE}:\ndense x", "\nexecuted"),
    )
    for cell in profile.cells:
        fewer, eager = profile.fewer_macs(cell), profile.realisation(cell, EAGER)
        own = profile.realisation(cell, DENSE)
        bases = ("papers", "executed_dense_features", "executed")
        table.add_row(
            _shares(cell),
            *(f"{fewer[base]:,.1f}x" if base in fewer else "-" for base in bases),
            _share(eager.get("executed_dense_features")),
            _share(own.get("executed_dense_features")),
            _share(own.get("executed")),
        )
    table.caption = (
        "times faster than the program named, over times fewer MACs; 1 is all of it\n"
        "fewer MACs: what pruning leaves of the dense model's"
    )
    return table


def break_even_lines(found: tuple[BreakEven, ...]) -> list[str]:
    """A sentence per layer."""
    return [f"{each.layer}: {_break_even(each)}" for each in found]


def _break_even(each: BreakEven) -> str:
    if len(each.races) == 1:
        race = each.races[0]
        winner = "sparse" if race.sparse_ms <= race.dense_ms else "dense"
        return (
            f"the {winner} weight is faster at {100 * race.weight_sparsity:.3g} %, the only "
            "sparsity measured"
        )
    if each.sparsity is None:
        return "no break-even in the range, the dense weight is faster at the highest sparsity"
    if each.at_most:
        return (
            f"the sparse weight is faster from {100 * each.sparsity:.3g} % on, the lowest measured"
        )
    return f"the sparse weight is faster from about {100 * each.sparsity:.0f} % on"


def _shares(cell: Cell) -> str:
    return f"{100 * cell.graph_sparsity:.3g} / {100 * cell.weight_sparsity:.3g}"


def _ms(timing: Timing) -> str:
    return milliseconds(timing.median_ms, timing.lower_quartile_ms, timing.upper_quartile_ms)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _stacked(name: str) -> str:
    """Over several lines, at its spaces."""
    return name.replace(" ", "\n")
