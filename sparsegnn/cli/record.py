"""`metrics.json`: everything a run found out, as one JSON object.

Schema "sparsegnn-metrics", version 1. Accuracies and sparsities are in [0, 1]; times are in seconds
for rounds and in milliseconds for programs; a value that was not measured is null.

    schema, version      "sparsegnn-metrics", 1
    state                "searching", "searched" or "finished"
    config               settings of the command (`PruneConfig`)
    method_config        settings of the method (`UGSConfig`), published ones filled in
    environment          versions, processor, thread count
    dataset              name, source, content_sha256, nodes, edges, features, classes
    seeds                per seed: seed, rounds, random (each a list of round, graph_sparsity,
                         weight_sparsity, val_accuracy, test_accuracy, best_epoch, seconds,
                         cpu_seconds), tickets (sha256 per round)
    summary              per round that every seed finished: round, sparsities, and {mean, sd, n}
                         of val, test, random_val, random_test over seeds
    headline             null, or: round, within, tolerance, seed, sparsity (per base: kept, total,
                         sparsity), files (name and sha256 of every ticket file)
    programs             per program: kind, name, MACs three ways, bytes, forward and step times
    busy                 whether other processes held the cores while programs were timed
    curve                per measured round: round, milliseconds of a forward pass, test accuracy
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from sparsegnn.cli.config import PruneConfig
from sparsegnn.cli.cost import CostRow
from sparsegnn.cli.environment import environment
from sparsegnn.cli.search import SeedRecord
from sparsegnn.cli.stats import Headline, RoundSummary
from sparsegnn.data import NodeDataset
from sparsegnn.tickets import Sparsity

SCHEMA, VERSION = "sparsegnn-metrics", 1
State = Literal["searching", "searched", "finished"]


@dataclass
class RunRecord:
    """What is known of a run so far.

    Attributes:
        config: Settings.
        data: The dataset.
        seeds: Finished seeds.
        summary: Rounds over all seeds.
        headline: The round that is shown.
        sparsity: Of the first seed's headline ticket.
        files: SHA-256 of every ticket file by its name.
        programs: Measured programs.
        busy: Other processes held the cores while programs were timed.
        curve: (round, milliseconds of a forward pass, test accuracy) of the first seed's tickets.
    """

    config: PruneConfig
    data: NodeDataset
    seeds: list[SeedRecord] = field(default_factory=list)
    summary: list[RoundSummary] = field(default_factory=list)
    headline: Headline | None = None
    sparsity: Sparsity | None = None
    files: dict[str, str] = field(default_factory=dict)
    programs: list[CostRow] = field(default_factory=list)
    busy: bool = False
    curve: list[tuple[int, float, float]] = field(default_factory=list)

    def to_json(self, state: State) -> dict[str, Any]:
        """Returns the object that `metrics.json` holds."""
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "state": state,
            "config": self.config.model_dump(),
            "method_config": self.config.method_config.model_dump(),
            "environment": environment(),
            "dataset": _dataset(self.data),
            "seeds": [_seed(record) for record in self.seeds],
            "summary": [asdict(each) for each in self.summary],
            "headline": self._headline(),
            "programs": [asdict(row) for row in self.programs],
            "busy": self.busy,
            "curve": _curve(self.curve),
        }

    def _headline(self) -> dict[str, Any] | None:
        if self.headline is None:
            return None
        return {
            **asdict(self.headline),
            "seed": self.config.seed,
            "sparsity": None if self.sparsity is None else sparsity_json(self.sparsity),
            "files": self.files,
        }


def sparsity_json(sparsity: Sparsity) -> dict[str, Any]:
    """Returns kept, total and share removed on every base that was counted."""
    bases: dict[str, Any] = {"pairs_cut_one_way": sparsity.pairs_cut_one_way}
    for name in ("edges", "pairs", "edges_with_loops", "masked_weights", "parameters"):
        count = getattr(sparsity, name)
        bases[name] = None if count is None else {**asdict(count), "sparsity": count.sparsity}
    return bases


def _dataset(data: NodeDataset) -> dict[str, Any]:
    return {
        "name": data.name,
        "source": data.source,
        "content_sha256": data.content_sha256,
        "nodes": data.num_nodes,
        "edges": data.graph.num_edges,
        "features": data.num_features,
        "classes": data.num_classes,
    }


def _seed(record: SeedRecord) -> dict[str, Any]:
    return {
        "seed": record.seed,
        "rounds": [asdict(result) for result in record.rounds],
        "random": [asdict(result) for result in record.random],
        "tickets": record.digests,
    }


def _curve(points: Sequence[tuple[int, float, float]]) -> list[dict[str, float]]:
    return [
        {"round": round, "forward_ms": milliseconds, "test_accuracy": accuracy}
        for round, milliseconds, accuracy in points
    ]
