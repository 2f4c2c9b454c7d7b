"""What a sweep over sparsities found."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsegnn.compiler.macs import MacCount
from sparsegnn.compiler.report import Report
from sparsegnn.compiler.timing import BUSY_SHARE, Timing
from sparsegnn.profiling.break_even import BreakEven
from sparsegnn.profiling.machine import Machine

if TYPE_CHECKING:
    from sparsegnn._json import Json

BASES = tuple(field.name for field in dataclasses.fields(MacCount))


@dataclass(frozen=True)
class Ratio:
    """How many times longer a peer takes, from medians and from the quartiles that are apart most.

    Attributes:
        median: Of medians.
        low: Its first quartile over our third.
        high: Its third quartile over our first.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, peer: Timing, ours: Timing) -> Ratio:
        """From two timings of one run."""
        return cls(
            peer.median_ms / ours.median_ms,
            peer.lower_quartile_ms / ours.upper_quartile_ms,
            peer.upper_quartile_ms / ours.lower_quartile_ms,
        )


@dataclass(frozen=True)
class Cell:
    """The compiled program at one pair of sparsities.

    Attributes:
        graph_sparsity: Share of edges that went.
        weight_sparsity: Share of weights that went.
        timing: A forward pass, in the same run as the peers.
        report: Of the compiler: plans, operations, bytes.
    """

    graph_sparsity: float
    weight_sparsity: float
    timing: Timing
    report: Report


@dataclass(frozen=True)
class Profile:
    """A model on a graph, at one or several sparsities, against its peers.

    Attributes:
        title: The model.
        data: The dataset.
        num_nodes: N.
        num_edges: Directed entries of the whole graph.
        num_features: F.
        feature_density: Share of features that are stored.
        machine: Its roofs.
        peers: Forward passes of the unpruned model by others, by name.
        missing: Peers that are not there, with the reason.
        difference: Largest difference between the peers' results, over the largest number.
        cells: In order of sparsity.
        break_even: Per layer.
    """

    title: str
    data: str
    num_nodes: int
    num_edges: int
    num_features: int
    feature_density: float
    machine: Machine
    peers: dict[str, Timing]
    missing: dict[str, str]
    difference: float
    cells: tuple[Cell, ...]
    break_even: tuple[BreakEven, ...]

    @property
    def busy(self) -> bool:
        """Whether other processes held the cores meanwhile."""
        timings = [*self.peers.values(), *(cell.timing for cell in self.cells)]
        on_cpu = self.machine.device == "cpu"
        return on_cpu and min(each.cpu_share for each in timings) < BUSY_SHARE

    def speedup(self, cell: Cell, peer: str) -> Ratio:
        """How many times faster a cell is than a peer."""
        return Ratio.of(self.peers[peer], cell.timing)

    def fewer_macs(self, cell: Cell) -> dict[str, float]:
        """How many times fewer operations pruning leaves than the dense model takes, by base."""
        if cell.report.macs_kept is None:
            return {}
        fewer = {base: cell.report.fewer_macs(base) for base in BASES}
        return {base: ratio for base, ratio in fewer.items() if math.isfinite(ratio)}

    def realisation(self, cell: Cell, peer: str) -> dict[str, float]:
        """The measured speed-up as a share of that of the operations, by base."""
        measured = self.speedup(cell, peer).median
        return {base: measured / fewer for base, fewer in self.fewer_macs(cell).items()}

    def losing(self) -> list[tuple[Cell, str]]:
        """Cells that are slower than a peer, with its name."""
        pairs = [(cell, peer) for cell in self.cells for peer in self.peers]
        return [(cell, peer) for cell, peer in pairs if self.speedup(cell, peer).median < 1.0]

    def to_json(self) -> dict[str, Json]:
        """Everything as JSON values, ratios included."""
        found: dict[str, Json] = dataclasses.asdict(self)
        found["busy"] = self.busy
        found["cells"] = [self._cell_json(cell) for cell in self.cells]
        found["losing"] = [[self.cells.index(cell), peer] for cell, peer in self.losing()]
        return found

    def _cell_json(self, cell: Cell) -> dict[str, Json]:
        layers = [
            self.machine.roof_ms(layer.macs.executed, layer.touched_bytes)
            for layer in cell.report.layers
        ]
        return {
            **dataclasses.asdict(cell),
            "roof": [{"ms": ms, "bound": bound} for ms, bound in layers],
            "speedup": {peer: dataclasses.asdict(self.speedup(cell, peer)) for peer in self.peers},
            "fewer_macs": dict(self.fewer_macs(cell)),
            "realisation": {peer: dict(self.realisation(cell, peer)) for peer in self.peers},
        }
