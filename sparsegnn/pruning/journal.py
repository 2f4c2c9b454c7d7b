"""Checkpoints of a run: one ticket file per finished round, and a journal that names them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sparsegnn.pruning.events import RoundResult
from sparsegnn.pruning.subject import Subject
from sparsegnn.tickets import Ticket
from sparsegnn.tickets.atomic import write_bytes

_FREE = {"rounds"}
"""Settings that do not change any single round, and so may differ on resume."""


@dataclass
class Journal:
    """The finished rounds of one run in one folder.

    ``<method>-seed<seed>.json`` is written after the ticket of a round, both by rename: a round
    is finished when the journal says so, and a kill loses at most the round in progress.

    Attributes:
        folder: where the files are.
        identity: what the run is a function of; a resumed run must agree in every field.
        results: finished rounds, in order from round 0.
    """

    folder: Path
    identity: dict[str, Any]
    results: list[RoundResult]
    digests: list[str]

    @classmethod
    def open(cls, folder: Path, subject: Subject, method: str, resume: bool) -> Journal:
        """Start a journal, or read the one that is there when ``resume`` is set.

        Without ``resume`` a journal of the same method and seed in the folder is replaced.

        Raises:
            ValueError: if the journal is of another run or cannot be read; nothing is changed.
        """
        folder.mkdir(parents=True, exist_ok=True)
        journal = cls(folder, _identity(subject, method), [], [])
        if resume and journal.path.exists():
            journal._read()
        else:
            journal.path.unlink(missing_ok=True)
        return journal

    @property
    def path(self) -> Path:
        """The journal file."""
        return self.folder / f"{self.identity['method']}-seed{self.identity['seed']}.json"

    def ticket_path(self, round: int) -> Path:
        """Ticket file of a round."""
        return self.path.with_name(f"{self.path.stem}-round{round:02d}.ticket")

    def add(self, result: RoundResult, ticket: Ticket) -> None:
        """Save the next finished round."""
        ticket.save(self.ticket_path(result.round))
        self.results.append(result)
        self.digests.append(ticket.sha256())
        rounds = [
            {**asdict(each), "ticket_sha256": digest}
            for each, digest in zip(self.results, self.digests, strict=True)
        ]
        content = {"identity": self.identity, "rounds": rounds}
        write_bytes(self.path, (json.dumps(content, indent=1) + "\n").encode())

    def finished(self) -> Iterator[tuple[RoundResult, Ticket]]:
        """Finished rounds with their tickets, read one at a time.

        Raises:
            ValueError: if a ticket file is not the one the journal names.
        """
        for result, digest in zip(list(self.results), list(self.digests), strict=True):
            path = self.ticket_path(result.round)
            ticket = Ticket.load(path)
            if ticket.sha256() != digest:
                raise ValueError(
                    f"{path.name} must have digest {digest[:12]} as in {self.path.name}, "
                    f"got {ticket.sha256()[:12]}"
                )
            yield result, ticket

    def _read(self) -> None:
        try:
            content = json.loads(self.path.read_text())
            identity, rounds = content["identity"], content["rounds"]
            digests = [each.pop("ticket_sha256") for each in rounds]
            results = [RoundResult(**each) for each in rounds]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{self.path} must be a journal of a run, got {error!r}") from error
        _check_same(self.path, identity, self.identity)
        self.results, self.digests = results, digests


def _identity(subject: Subject, method: str) -> dict[str, Any]:
    config = {k: v for k, v in subject.config.model_dump().items() if k not in _FREE}
    return {
        "method": method,
        "seed": subject.seed,
        "graph": subject.data.graph.fingerprint(),
        "data": subject.data_sha256(),
        "init": subject.start_sha256(),
        **{f"config.{name}": value for name, value in config.items()},
    }


def _check_same(path: Path, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    for field in [*expected, *(name for name in found if name not in expected)]:
        if found.get(field) != expected.get(field):
            raise ValueError(
                f"{path} is a checkpoint of another run: {field} is {found.get(field)!r} there, "
                f"{expected.get(field)!r} here"
            )
