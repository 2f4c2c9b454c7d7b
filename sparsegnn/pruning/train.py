"""Train one ticket and pack it up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from sparsegnn.pruning.clock import Clock
from sparsegnn.pruning.events import EpochEvent, RoundResult, Stage
from sparsegnn.pruning.kept import Kept
from sparsegnn.pruning.stage import TicketStage
from sparsegnn.pruning.subject import Subject
from sparsegnn.tickets import Ticket
from sparsegnn.training import Split, fit, seeded

OnEpoch = Callable[[EpochEvent], None]
_CLOCK_FIELDS = {"seconds", "cpu_seconds"}


def train_ticket(
    subject: Subject,
    kept: Kept,
    round: int,
    method: str,
    on_epoch: OnEpoch | None,
    clock: Clock,
) -> tuple[RoundResult, Ticket]:
    """Rewind to theta_0, train what is kept, keep the best validation epoch.

    Args:
        subject: the run.
        kept: edges and weights of the ticket.
        round: pruning round, 0 for the dense model.
        method: name recorded in the ticket.
        on_epoch: called after every epoch.
        clock: started when the round was.
    """
    config = subject.config
    with seeded(subject.stage_seed(round, "train")):
        stage = TicketStage(subject, kept, Split.of(subject.data, "train"))
        report = reporter(on_epoch, round, "train", config.train_epochs, kept)
        finite = not config.reference
        best = fit(stage, subject.data, config.train_epochs, report, require_finite=finite)
    result = RoundResult(
        round=round,
        graph_sparsity=kept.graph_sparsity,
        weight_sparsity=kept.weight_sparsity,
        val_accuracy=best.val_accuracy,
        test_accuracy=best.test_accuracy,
        best_epoch=best.epoch,
        seconds=clock.seconds,
        cpu_seconds=clock.cpu_seconds,
    )
    ticket = Ticket.for_graph(
        subject.data.graph,
        edge_mask=kept.edge_mask(),
        weight_masks=kept.weight_masks(),
        init_state=subject.start,
        state=stage.best_state,
        method=method,
        config=config.model_dump(),
        metrics={k: v for k, v in asdict(result).items() if k not in _CLOCK_FIELDS},
        seed=subject.seed,
        round=round,
    )
    return result, ticket


def reporter(
    on_epoch: OnEpoch | None, round: int, stage: Stage, epochs: int, kept: Kept
) -> Callable[[int, float, float], None] | None:
    """Adapter from the training loop's epoch report to :class:`EpochEvent`."""
    if on_epoch is None:
        return None
    graph_sparsity, weight_sparsity = kept.graph_sparsity, kept.weight_sparsity

    def report(epoch: int, loss: float, val_accuracy: float) -> None:
        on_epoch(
            EpochEvent(
                round, stage, epoch, epochs, loss, val_accuracy, graph_sparsity, weight_sparsity
            )
        )

    return report
