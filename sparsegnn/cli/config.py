"""Settings of `prune`: a strict model, filled from a TOML file, flags and a run's own record."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from sparsegnn.cli.errors import CliError, validation_sentence
from sparsegnn.pruning import UGSConfig
from sparsegnn.pruning.config import PRESETS

# The standard library's reader, or the package that it was taken from.
tomllib = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")


class PruneConfig(BaseModel):
    """What `prune` does; frozen, and every unknown key is an error.

    Attributes:
        method: How tickets are found.
        dataset: A known name, or the path of an npz file.
        hidden: Width of the hidden layers.
        layers: Number of GCN layers.
        dropout: On hidden layers.
        seed: First seed.
        seeds: How many seeds: `seed`, `seed + 1`, ...
        threads: Threads of torch and of the kernels; None keeps their default.
        random: Rounds that get a random ticket to compare with: "all", the "headline", "none".
        measure: Time the headline ticket against the dense programs.
        minutes: Time for searching: no round starts that would end past its seed's share of it,
            but every seed gets one; None for no limit.
        ugs: Settings of the method that differ from those published for the dataset.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    method: Literal["ugs"] = "ugs"
    dataset: str = "cora"
    hidden: int = Field(default=512, ge=1, le=65536)
    layers: int = Field(default=2, ge=1, le=64)
    dropout: float = Field(default=0.5, ge=0.0, lt=1.0)
    seed: int = Field(default=0, ge=0, lt=2**31)
    seeds: int = Field(default=1, ge=1, le=1000)
    threads: int | None = Field(default=None, ge=1, le=4096)
    random: Literal["all", "headline", "none"] = "all"
    measure: bool = True
    minutes: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    ugs: dict[str, Any] = Field(default_factory=dict)

    @field_validator("ugs")
    @classmethod
    def _known_settings(cls, settings: dict[str, Any]) -> dict[str, Any]:
        try:
            UGSConfig(**settings)
        except ValidationError as error:
            raise ValueError(validation_sentence(error, "ugs")) from error
        return settings

    @property
    def method_config(self) -> UGSConfig:
        """The method's settings: those published for the dataset, with `ugs` on top."""
        if self.dataset in PRESETS:
            return UGSConfig.for_dataset(self.dataset, **self.ugs)
        return UGSConfig(**self.ugs)

    @property
    def seed_list(self) -> list[int]:
        """Every seed of the run."""
        return list(range(self.seed, self.seed + self.seeds))


FREE = frozenset({"seed", "seeds", "threads", "random", "measure", "minutes"})
"""Settings that do not change any single ticket, and so may differ when a run is resumed."""


def read_toml(path: Path) -> dict[str, Any]:
    """Reads settings from a TOML file.

    Raises:
        CliError: The file is missing or not TOML.
    """
    try:
        with path.open("rb") as stream:
            values: dict[str, Any] = tomllib.load(stream)
    except OSError as error:
        raise CliError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CliError(f"{path}: not a TOML file ({error})") from error
    return values


def make_config(*layers: Mapping[str, Any], where: str = "settings") -> PruneConfig:
    """Merges layers of settings, the later ones on top, and checks the result.

    Raises:
        CliError: A key is unknown or a value out of range.
    """
    merged: dict[str, Any] = {"ugs": {}}
    for layer in layers:
        ugs = layer.get("ugs", {})
        if not isinstance(ugs, Mapping):
            raise CliError(f"{where}: ugs must be a table, got {ugs!r}")
        merged = {**merged, **layer, "ugs": {**merged["ugs"], **ugs}}
    for key in merged.keys() - PruneConfig.model_fields.keys():
        if key in UGSConfig.model_fields:
            raise CliError(f"{where}: '{key}' belongs into the table [ugs]")
    try:
        return PruneConfig.model_validate(merged)
    except ValidationError as error:
        raise CliError(validation_sentence(error, where)) from error
