"""The interface of methods that find tickets round by round."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

from sparsegnn.pruning.events import RoundResult
from sparsegnn.pruning.subject import ModelFn
from sparsegnn.pruning.train import OnEpoch
from sparsegnn.tickets import Ticket
from sparsegnn.training import NodeTask


class TicketSearch(ABC):
    """A search that yields one ticket per round, from the dense model on."""

    @abstractmethod
    def rounds(
        self,
        model_fn: ModelFn,
        data: NodeTask,
        seed: int = 0,
        out: str | Path | None = None,
        resume: bool = False,
        on_epoch: OnEpoch | None = None,
    ) -> Iterator[tuple[RoundResult, Ticket]]:
        """Run the search, one round per item; round 0 is the dense model.

        Args:
            model_fn: returns a new model, called as ``model(x, graph)`` and
                ``model(x, graph, edge_weight)``.
            data: features (used as they are), labels, split and graph.
            seed: the tickets are a function of it, the model, the data and the settings.
            out: folder for a checkpoint after every round; None keeps nothing.
            resume: yield the finished rounds found in ``out`` and go on after them, with the same
                tickets as an uninterrupted run on the same machine and thread count.
            on_epoch: called after every epoch.

        Raises:
            ValueError: if data or checkpoint do not fit; the message names the field.
        """

    def search(
        self,
        model_fn: ModelFn,
        data: NodeTask,
        seed: int = 0,
        out: str | Path | None = None,
        resume: bool = False,
        on_epoch: OnEpoch | None = None,
    ) -> Ticket:
        """The ticket of the last round; arguments as for :meth:`rounds`."""
        *_, (_, ticket) = self.rounds(model_fn, data, seed, out, resume, on_epoch)
        return ticket
