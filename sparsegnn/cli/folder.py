"""The folder of one run: which files it holds, and when a run may use it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sparsegnn.cli.config import FREE, PruneConfig, make_config
from sparsegnn.cli.errors import CliError
from sparsegnn.data.files import write_atomic
from sparsegnn.pruning import RoundResult


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """Settings of the run, written before anything else."""
        return self.path / "config.json"

    @property
    def checkpoints(self) -> Path:
        """Folder of the method's own checkpoints."""
        return self.path / "checkpoints"

    @property
    def metrics(self) -> Path:
        """Everything the run found out."""
        return self.path / "metrics.json"

    @property
    def plot(self) -> Path:
        """The figure."""
        return self.path / "results.png"

    def random(self, seed: int) -> Path:
        """Results of the random tickets of one seed."""
        return self.checkpoints / f"random-seed{seed}.json"

    def ticket(self, seed: int, round: int) -> Path:
        """A ticket that the run hands over."""
        return self.path / f"ticket-{seed}-r{round}.ticket"

    def saved_config(self) -> PruneConfig:
        """Settings of the run that is here.

        Raises:
            CliError: There is none, or its record is damaged.
        """
        if not self.config.is_file():
            raise CliError(f"{self.path} holds no run to resume: {self.config.name} is missing")
        return make_config(_read_json(self.config), where=str(self.config))

    def start(self, config: PruneConfig, resume: bool, overwrite: bool = False) -> None:
        """Claims the folder for a run.

        Args:
            config: Settings of the run.
            resume: Go on with the run that is here.
            overwrite: Remove the files of the run that is here; other files stay.

        Raises:
            CliError: Another run is here, or the resumed one had other settings.
        """
        if resume:
            _check_same(self.config, self.saved_config(), config)
        elif overwrite:
            self._clear()
        elif self.config.exists():
            raise CliError(
                f"{self.path} already holds a run: add --resume to go on with it, "
                f"--overwrite to lose it, or choose another --out"
            )
        write_json(self.config, config.model_dump())

    def _clear(self) -> None:
        written = [self.config, self.metrics, self.plot, *self.path.glob("ticket-*-r*.ticket")]
        for path in [*written, *self.checkpoints.glob("*-seed*")]:
            path.unlink(missing_ok=True)

    def read_random(self, seed: int) -> list[RoundResult]:
        """Returns the random tickets' results so far.

        Raises:
            CliError: The file is damaged.
        """
        path = self.random(seed)
        if not path.exists():
            return []
        try:
            return [RoundResult(**each) for each in _read_json(path)["rounds"]]
        except (KeyError, TypeError) as error:
            raise CliError(f"{path}: not a record of random tickets ({error!r})") from error

    def write_random(self, seed: int, results: list[RoundResult]) -> None:
        """Replaces the record of the random tickets."""
        write_json(self.random(seed), {"rounds": [asdict(result) for result in results]})


def write_json(path: Path, value: Any) -> None:
    """Writes JSON atomically, in UTF-8, without NaN or infinity."""
    text = json.dumps(value, indent=1, allow_nan=False) + "\n"
    write_atomic(path, lambda stream: stream.write(text.encode()))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CliError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(value, dict):
        raise CliError(f"{path}: must hold a JSON object, got {type(value).__name__}")
    return value


def _check_same(path: Path, found: PruneConfig, given: PruneConfig) -> None:
    for key, value in found.model_dump(exclude=set(FREE) | {"ugs"}).items():
        if value != (new := getattr(given, key)):
            raise CliError(f"{path}: the run has {key} {value!r}, got {new!r}")
    settings, new_settings = found.method_config, given.method_config
    for key in type(settings).model_fields:
        if key != "rounds" and getattr(settings, key) != getattr(new_settings, key):
            raise CliError(
                f"{path}: the run has {key} {getattr(settings, key)!r}, "
                f"got {getattr(new_settings, key)!r}"
            )
