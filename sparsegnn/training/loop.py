"""The plain full-batch loop: step, predict, keep the best validation epoch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sparsegnn.training.task import NodeTask, Split


class Trainee(Protocol):
    """What :func:`fit` drives."""

    def step(self) -> float:
        """Take one optimiser step and return the loss it was taken on."""

    def predict(self) -> Tensor:
        """Logits ``[N, C]`` in evaluation mode, without a gradient."""

    def snapshot(self) -> None:
        """Remember the present state as the best so far."""


@dataclass(frozen=True)
class BestEpoch:
    """The epoch with the highest validation accuracy, the earliest among equals."""

    epoch: int
    val_accuracy: float
    test_accuracy: float


def train_step(
    logits: Tensor,
    split: Split,
    optimizer: torch.optim.Optimizer,
    before_step: Callable[[], None] | None = None,
) -> float:
    """Cross-entropy on ``split``, one backward pass, one optimiser step.

    Args:
        logits: ``[N, C]`` with a gradient.
        split: the rows the loss is the mean of.
        optimizer: its gradients are cleared first.
        before_step: called between the backward pass and the step, e.g. to add a penalty.

    Returns:
        The loss.
    """
    optimizer.zero_grad(set_to_none=True)
    loss = F.cross_entropy(logits.index_select(0, split.rows), split.labels)
    loss.backward()
    if before_step is not None:
        before_step()
    optimizer.step()
    return float(loss.detach())


def accuracy(logits: Tensor, split: Split) -> float:
    """Share of ``split`` whose largest logit is the label (micro-F1 of one label per node)."""
    predicted = logits.index_select(0, split.rows).argmax(dim=1)
    return int((predicted == split.labels).sum()) / split.rows.numel()


@torch.no_grad()
def evaluate(model: nn.Module, data: NodeTask) -> dict[str, float]:
    """Accuracy of ``model(data.x, data.graph)`` on ``"train"``, ``"val"`` and ``"test"``.

    The model is put into evaluation mode for the call and left in the mode it was in.
    """
    training = model.training
    model.eval()
    logits = model(data.x, data.graph)
    model.train(training)
    return {name: accuracy(logits, Split.of(data, name)) for name in ("train", "val", "test")}


def fit(
    trainee: Trainee,
    data: NodeTask,
    epochs: int,
    on_epoch: Callable[[int, float, float], None] | None = None,
    *,
    require_finite: bool = True,
) -> BestEpoch:
    """Train for a fixed number of epochs and remember the best validation epoch.

    Each epoch is one step and one prediction; a strictly higher validation accuracy takes a
    snapshot. Test accuracy is read at snapshots only and never chooses anything.

    Args:
        trainee: the model, its optimiser and its snapshot.
        data: labels and split.
        epochs: at least 1.
        on_epoch: called with the epoch (from 1), the loss and the validation accuracy.
        require_finite: stop with an error at the first loss that is not finite.

    Raises:
        ValueError: if a loss is not finite and ``require_finite`` is set.
    """
    val, test = Split.of(data, "val"), Split.of(data, "test")
    best = BestEpoch(0, -1.0, -1.0)
    for epoch in range(1, epochs + 1):
        loss = trainee.step()
        if require_finite and not math.isfinite(loss):
            raise ValueError(f"loss must be finite, got {loss} at epoch {epoch}")
        logits = trainee.predict()
        val_accuracy = accuracy(logits, val)
        if val_accuracy > best.val_accuracy:
            best = BestEpoch(epoch, val_accuracy, accuracy(logits, test))
            trainee.snapshot()
        if on_epoch is not None:
            on_epoch(epoch, loss, val_accuracy)
    return best
