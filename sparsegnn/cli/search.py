"""The search part of `prune`: every seed, every round, and the random tickets beside them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from torch import nn

from sparsegnn.cli.config import PruneConfig
from sparsegnn.cli.folder import RunFolder
from sparsegnn.cli.progress import Reporter
from sparsegnn.data import NodeDataset
from sparsegnn.nn import GCN
from sparsegnn.pruning import UGS, EpochEvent, RoundResult, random_ticket
from sparsegnn.tickets import Ticket


@dataclass
class SeedRecord:
    """What one seed found.

    Attributes:
        seed: The seed.
        rounds: Results from round 0, the dense model, on.
        digests: `Ticket.sha256()` of every round.
        random: Results of random tickets, in order of their round.
    """

    seed: int
    rounds: list[RoundResult] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    random: list[RoundResult] = field(default_factory=list)


@dataclass(frozen=True)
class Search:
    """A run's fixed parts.

    Attributes:
        config: Settings.
        data: The dataset with row-normalised features.
        folder: Where checkpoints go.
        reporter: Where progress goes.
    """

    config: PruneConfig
    data: NodeDataset
    folder: RunFolder
    reporter: Reporter

    def model(self) -> nn.Module:
        """Returns a new model of the run's architecture: bias-free, as published."""
        config, data = self.config, self.data
        return GCN(
            data.num_features,
            config.hidden,
            config.layers,
            data.num_classes,
            dropout=config.dropout,
            bias=False,
        )

    def run(self, seed: int) -> SeedRecord:
        """Finds the tickets of one seed, going on after the rounds that are already there."""
        record = SeedRecord(seed, random=self.folder.read_random(seed))
        rounds, budget = self.config.method_config.rounds, _Budget.of(self.config)
        trained: set[int] = set()
        for result, ticket in self.tickets(seed, on_epoch=self._report(seed, "ticket", trained)):
            record.rounds.append(result)
            record.digests.append(ticket.sha256())
            if result.round not in trained:
                self.reporter.skip(epochs_of_round(self.config, result.round))
            self._tell(seed, "ticket" if result.round else "dense", result)
            if self.config.random == "all" and result.round > 0:
                self.add_random(record, result.round)
            if 0 < result.round < rounds and budget.is_spent():
                left = range(result.round + 1, rounds + 1)
                self.reporter.skip(sum(epochs_of_round(self.config, each, True) for each in left))
                self.reporter.line(f"seed {seed}: time is up after round {result.round}")
                break
        return record

    def tickets(
        self,
        seed: int,
        rounds: int | None = None,
        on_epoch: Callable[[EpochEvent], None] | None = None,
    ) -> Iterator[tuple[RoundResult, Ticket]]:
        """Yields the rounds of one seed; those already finished come from their checkpoints."""
        config = self.config.method_config
        if rounds is not None:
            config = config.model_copy(update={"rounds": max(rounds, 1)})
        return UGS(config).rounds(
            self.model,
            self.data,
            seed=seed,
            out=self.folder.checkpoints,
            resume=True,
            on_epoch=on_epoch,
        )

    def collect(self, seed: int, rounds: Collection[int]) -> dict[int, Ticket]:
        """Returns the tickets of finished rounds by round, read in one pass."""
        found = self.tickets(seed, max(rounds))
        return {result.round: ticket for result, ticket in found if result.round in rounds}

    def add_random(self, record: SeedRecord, round: int) -> None:
        """Trains the random ticket of a round unless its result is known."""
        config = self.config.method_config
        if any(each.round == round for each in record.random):
            self.reporter.skip(config.train_epochs)
            return
        result, _ = random_ticket(
            self.model,
            self.data,
            config,
            seed=record.seed,
            round=round,
            on_epoch=self._report(record.seed, "random", set()),
        )
        record.random = sorted([*record.random, result], key=lambda each: each.round)
        self.folder.write_random(record.seed, record.random)
        self._tell(record.seed, "random", result)

    def _report(self, seed: int, what: str, trained: set[int]) -> Callable[[EpochEvent], None]:
        rounds = self.config.method_config.rounds

        def report(event: EpochEvent) -> None:
            trained.add(event.round)
            self.reporter.epoch(seed, what, rounds, event)

        return report

    def _tell(self, seed: int, what: str, result: RoundResult) -> None:
        self.reporter.line(
            f"seed {seed} round {result.round:2d} {what:6s} "
            f"val {100 * result.val_accuracy:5.1f} %  test {100 * result.test_accuracy:5.1f} %  "
            f"pruned: graph {100 * result.graph_sparsity:5.2f} %, "
            f"weights {100 * result.weight_sparsity:5.2f} %  {result.seconds:.1f} s"
        )


@dataclass
class _Budget:
    """The time of one seed: spent when another round as long as the last would not fit."""

    seconds: float
    start: float
    last: float

    @classmethod
    def of(cls, config: PruneConfig) -> _Budget:
        seconds = math.inf if config.minutes is None else 60 * config.minutes / config.seeds
        now = time.monotonic()
        return cls(seconds, now, now)

    def is_spent(self) -> bool:
        """Called once a round."""
        now = time.monotonic()
        expected, self.last = now + (now - self.last), now
        return expected - self.start > self.seconds


def epochs_of_round(config: PruneConfig, round: int, with_random: bool = False) -> int:
    """Returns how many epochs a round takes, by default without its random ticket."""
    settings = config.method_config
    if round == 0:
        return settings.train_epochs
    random = settings.train_epochs if with_random and config.random == "all" else 0
    return settings.mask_epochs + settings.train_epochs + random


def total_epochs(config: PruneConfig) -> int:
    """Returns how many epochs the whole run takes."""
    rounds = range(config.method_config.rounds + 1)
    headline = config.method_config.train_epochs if config.random == "headline" else 0
    return config.seeds * (sum(epochs_of_round(config, each, True) for each in rounds) + headline)
