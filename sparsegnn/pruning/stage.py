"""The two stages of a round: training masks, and training the rewound ticket."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sparsegnn.pruning.kept import Kept
from sparsegnn.pruning.reference import initial_mask
from sparsegnn.pruning.subject import Subject
from sparsegnn.training import L1Adam, Split, train_step


class TicketStage:
    """Train what is kept, from theta_0, with fixed masks.

    Weights are optimised as the 1-D tensors of their surviving entries, so removed entries cost
    and change nothing. Every step ends by building the next dense operands once, with their
    gradient graph: prediction and the following step use the same ones.

    Args:
        subject: the run.
        kept: what the stage works on.
        targets: rows and labels of the cross-entropy.
    """

    def __init__(self, subject: Subject, kept: Kept, targets: Split) -> None:
        subject.rewind()
        self._subject = subject
        self._kept = kept
        self._targets = targets
        self._values = [_leaf(slot.gather(subject.start[slot.name])) for slot in kept.slots]
        self._best: dict[str, Tensor] = {}
        self._optimizer = self._make_optimizer()
        self._refresh()

    @property
    def best_state(self) -> dict[str, Tensor]:
        """Full state dict at the last snapshot, removed entries exactly 0."""
        return self._best

    def step(self) -> float:
        """One optimiser step in training mode."""
        self._subject.model.train()
        logits = self._subject.call(self._weights, self._kept.graph, self._edge_weight)
        loss = train_step(logits, self._targets, self._optimizer)
        self._refresh()
        return loss

    @torch.no_grad()
    def predict(self) -> Tensor:
        """Logits ``[N, C]`` in evaluation mode."""
        self._subject.model.eval()
        return self._subject.call(self._weights, self._kept.graph, self._edge_weight)

    @torch.no_grad()
    def snapshot(self) -> None:
        """Remember the state dict of the present model."""
        state = self._subject.model.state_dict()
        self._best = {
            name: self._weights.get(name, value).detach().clone() for name, value in state.items()
        }

    def _make_optimizer(self) -> torch.optim.Optimizer:
        config = self._subject.config
        return _adam([self._weight_group(config.lr, config.weight_decay)])

    def _weight_group(self, lr: float, weight_decay: float) -> dict[str, object]:
        masked = {slot.name for slot in self._kept.slots}
        others = [p for n, p in self._subject.model.named_parameters() if n not in masked]
        return {"params": [*self._values, *others], "lr": lr, "weight_decay": weight_decay}

    def _refresh(self) -> None:
        self._weights = {
            slot.name: slot.expand(value)
            for slot, value in zip(self._kept.slots, self._effective(), strict=True)
        }
        self._edge_weight = self._effective_edges()

    def _effective(self) -> Sequence[Tensor]:
        return self._values

    def _effective_edges(self) -> Tensor | None:
        return None


class MaskStage(TicketStage):
    """Train soft masks on the kept edges and weights jointly with the weights.

    The objective is the task loss plus an L1 penalty on both kinds of mask. Masks start at 1 and
    are clamped at 0 from below after each step, so degrees stay positive and nothing becomes NaN;
    the reference arithmetic starts them with noise and does not clamp.
    """

    def __init__(self, subject: Subject, kept: Kept, targets: Split) -> None:
        like = next(subject.model.parameters())
        make = initial_mask if subject.config.reference else _ones
        self._edge_scores = _leaf(make(kept.groups.count, like))
        self._weight_scores = [_leaf(make(slot.count, like)) for slot in kept.slots]
        super().__init__(subject, kept, targets)

    @property
    def best_scores(self) -> tuple[Tensor, list[Tensor]]:
        """Magnitudes of the edge masks and of the weight masks at the last snapshot."""
        return self._best_scores

    @torch.no_grad()
    def snapshot(self) -> None:
        """Remember the mask magnitudes."""
        self._best_scores = (self._edge_scores.abs(), [s.abs() for s in self._weight_scores])

    def _make_optimizer(self) -> torch.optim.Optimizer:
        config = self._subject.config
        masks: dict[str, object] = {
            "minimum": None if config.reference else 0.0,
            "lr": config.lr if config.mask_lr is None else config.mask_lr,
            "weight_decay": config.weight_decay
            if config.mask_weight_decay is None
            else config.mask_weight_decay,
        }
        groups: list[dict[str, object]] = [
            self._weight_group(config.lr, config.weight_decay),
            {"params": [self._edge_scores], "l1": config.graph_l1, **masks},
            {"params": self._weight_scores, "l1": config.weight_l1, **masks},
        ]
        return _adam(groups)

    def _effective(self) -> Sequence[Tensor]:
        pairs = zip(self._values, self._weight_scores, strict=True)
        return [value * score for value, score in pairs]

    def _effective_edges(self) -> Tensor | None:
        return self._kept.groups.spread(self._edge_scores)


def _adam(groups: list[dict[str, object]]) -> torch.optim.Optimizer:
    return L1Adam(groups, fused=True)


def _leaf(tensor: Tensor) -> nn.Parameter:
    return nn.Parameter(tensor.detach())


def _ones(count: int, like: Tensor) -> Tensor:
    return like.new_ones(count)
