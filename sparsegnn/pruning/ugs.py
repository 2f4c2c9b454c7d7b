"""Unified sparsification of graph and weights (Chen et al., 2021, arXiv 2102.06790)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor

from sparsegnn.pruning.base import TicketSearch
from sparsegnn.pruning.clock import Clock
from sparsegnn.pruning.config import UGSConfig
from sparsegnn.pruning.events import RoundResult
from sparsegnn.pruning.journal import Journal
from sparsegnn.pruning.kept import Kept
from sparsegnn.pruning.reference import threshold_select
from sparsegnn.pruning.selection import keep_count, select_top
from sparsegnn.pruning.stage import MaskStage
from sparsegnn.pruning.subject import ModelFn, Subject
from sparsegnn.pruning.targets import mask_targets
from sparsegnn.pruning.train import OnEpoch, reporter, train_ticket
from sparsegnn.tickets import Ticket
from sparsegnn.training import NodeTask, Split, fit, seeded


class UGS(TicketSearch):
    """Graph lottery tickets by iterative magnitude pruning of trained masks.

    Each round trains soft masks on the remaining edges and weights jointly with the weights,
    takes the masks of the best validation epoch, removes the smallest, rewinds to theta_0 and
    trains the ticket. Edges and weights that were removed are absent, not multiplied by zero.
    Weights are ranked over all layers together, edges (or undirected pairs) among themselves;
    counts are exact and ties are ordered by a seeded permutation (``pruning.selection``).

    Every stage is seeded from (seed, round, stage) alone: the tickets are a function of model,
    data, settings and seed, bit for bit on one machine with one thread count.

    Args:
        config: settings; None takes the defaults, which are those published for GCN on Cora.
        settings: fields of :class:`UGSConfig`, in place of ``config``.

    Raises:
        ValueError: if a setting is unknown or out of range, or both forms are given.
    """

    def __init__(self, config: UGSConfig | None = None, **settings: Any) -> None:
        if config is not None and settings:
            raise ValueError(f"config must be None when settings are given, got {sorted(settings)}")
        self.config = UGSConfig(**settings) if config is None else config

    def rounds(
        self,
        model_fn: ModelFn,
        data: NodeTask,
        seed: int = 0,
        out: str | Path | None = None,
        resume: bool = False,
        on_epoch: OnEpoch | None = None,
    ) -> Iterator[tuple[RoundResult, Ticket]]:
        """See :meth:`TicketSearch.rounds`."""
        if resume and out is None:
            raise ValueError("out must be a folder when resume is set, got None")
        subject = Subject.prepare(model_fn, data, self.config, seed)
        journal = None if out is None else Journal.open(Path(out), subject, "ugs", resume)
        return self._rounds(subject, journal, on_epoch)

    def _rounds(
        self, subject: Subject, journal: Journal | None, on_epoch: OnEpoch | None
    ) -> Iterator[tuple[RoundResult, Ticket]]:
        kept = Kept.everything(subject)
        targets = Split.of(subject.data, "train")
        done = 0
        for result, ticket in journal.finished() if journal else ():
            if result.round > self.config.rounds:
                return
            kept = Kept.of_ticket(subject, ticket)
            targets = mask_targets(subject, ticket) if result.round == 0 else targets
            done = result.round + 1
            yield result, ticket
        for round in range(done, self.config.rounds + 1):
            clock = Clock()
            if round > 0:
                kept = prune_once(subject, kept, targets, round, on_epoch)
            result, ticket = train_ticket(subject, kept, round, "ugs", on_epoch, clock)
            targets = mask_targets(subject, ticket) if round == 0 else targets
            if journal is not None:
                journal.add(result, ticket)
            yield result, ticket


def prune_once(
    subject: Subject, kept: Kept, targets: Split, round: int, on_epoch: OnEpoch | None
) -> Kept:
    """Train masks on what is kept, and remove the share of this round."""
    epochs = subject.config.mask_epochs
    with seeded(subject.stage_seed(round, "mask")):
        stage = MaskStage(subject, kept, targets)
        report = reporter(on_epoch, round, "mask", epochs, kept)
        fit(stage, subject.data, epochs, report, require_finite=not subject.config.reference)
    return kept.narrow(*_select(subject, stage, round))


def _select(subject: Subject, stage: MaskStage, round: int) -> tuple[Tensor, list[Tensor]]:
    config = subject.config
    edges, weights = stage.best_scores
    if config.reference:
        (kept_edges,) = threshold_select([edges], config.graph_rate)
        return kept_edges, threshold_select(weights, config.weight_rate)
    keep_edges = keep_count(subject.groups.count, config.graph_rate, round)
    keep_weights = keep_count(sum(slot.total for slot in subject.slots), config.weight_rate, round)
    (kept_edges,) = select_top([edges], keep_edges, subject.stage_seed(round, "edge ties"))
    weight_seed = subject.stage_seed(round, "weight ties")
    return kept_edges, select_top(weights, keep_weights, weight_seed)
