"""The random baseline: the same sparsity, chosen without looking."""

from __future__ import annotations

from sparsegnn.pruning.clock import Clock
from sparsegnn.pruning.config import UGSConfig
from sparsegnn.pruning.events import RoundResult
from sparsegnn.pruning.kept import Kept
from sparsegnn.pruning.selection import keep_count, select_random
from sparsegnn.pruning.subject import ModelFn, Subject
from sparsegnn.pruning.train import OnEpoch, train_ticket
from sparsegnn.tickets import Ticket
from sparsegnn.training import NodeTask


def random_ticket(
    model_fn: ModelFn,
    data: NodeTask,
    config: UGSConfig,
    seed: int = 0,
    round: int = 1,
    on_epoch: OnEpoch | None = None,
) -> tuple[RoundResult, Ticket]:
    """A ticket with the counts of UGS after ``round`` rounds, chosen uniformly and trained alike.

    Edges are drawn over the same pairs as ``config.pairs``; weights uniformly within each layer,
    each layer at the nominal sparsity. Initialisation and training are those of a UGS run with
    the same seed, so the two differ by their masks alone.

    Args:
        model_fn: returns a new model.
        data: features, labels, split and graph.
        config: rates, pairs and training settings.
        seed: the ticket is a function of it and the other arguments.
        round: the UGS round whose sparsity to match, at least 0.
        on_epoch: called after every epoch.
    """
    clock = Clock()
    subject = Subject.prepare(model_fn, data, config, seed)
    kept = Kept.everything(subject)
    (groups,) = select_random(
        [subject.groups.count],
        [keep_count(subject.groups.count, config.graph_rate, round)],
        subject.stage_seed(round, "random edges"),
    )
    weights = select_random(
        [slot.total for slot in subject.slots],
        [keep_count(slot.total, config.weight_rate, round) for slot in subject.slots],
        subject.stage_seed(round, "random weights"),
    )
    device = kept.edges.device
    kept = kept.narrow(groups.to(device), [weight.to(device) for weight in weights])
    return train_ticket(subject, kept, round, "random", on_epoch, clock)
