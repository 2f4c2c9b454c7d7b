"""What a search reports while it runs and after each round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Stage = Literal["mask", "train"]


@dataclass(frozen=True)
class EpochEvent:
    """One finished epoch.

    Attributes:
        round: pruning round, 0 for the dense model.
        stage: "mask" while masks are trained, "train" while a ticket is.
        epoch: from 1.
        epochs: length of the stage.
        loss: cross-entropy on the training nodes, without penalties.
        val_accuracy: in [0, 1], after this epoch's step.
        graph_sparsity: share of stored edges already removed in this stage.
        weight_sparsity: share of maskable weights already removed in this stage.
    """

    round: int
    stage: Stage
    epoch: int
    epochs: int
    loss: float
    val_accuracy: float
    graph_sparsity: float
    weight_sparsity: float


@dataclass(frozen=True)
class RoundResult:
    """One finished round: the retrained ticket at its best validation epoch.

    Attributes:
        round: pruning round, 0 for the dense model.
        graph_sparsity: share of stored edges removed.
        weight_sparsity: share of maskable weights removed.
        val_accuracy: in [0, 1]; it chose the epoch.
        test_accuracy: in [0, 1], at that epoch.
        best_epoch: from 1.
        seconds: wall-clock time of the round.
        cpu_seconds: processor time of the round, over all threads of the process.
    """

    round: int
    graph_sparsity: float
    weight_sparsity: float
    val_accuracy: float
    test_accuracy: float
    best_epoch: int
    seconds: float
    cpu_seconds: float
