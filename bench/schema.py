"""The JSON record of a benchmark run.

`Record.model_json_schema()` gives the machine-readable form; `bench/README.md` explains the fields.
Times are seconds per call, ratios are peer time over subject time of the same round.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Mode = Literal["quick", "default", "full"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Summary(_Frozen):
    """Order statistics of one list of measurements."""

    median: float
    q1: float
    q3: float
    minimum: float
    maximum: float
    count: int


class Timing(_Frozen):
    """One alternative: seconds per call of every round, in the order of the rounds.

    `preemptions_per_s` counts how often another program took a core away from a timed thread.
    """

    calls_per_sample: int
    preemptions_per_s: float
    wall_s: list[float]
    cpu_s: list[float]
    wall: Summary
    cpu: Summary


class Ratio(_Frozen):
    """Peer time over subject time, paired per round."""

    peer: str
    wall: Summary
    cpu: Summary


class CaseRecord(_Frozen):
    """One question put to several alternatives in one interleaved run.

    `peak_bytes` is what a call allocates at its peak, by alternative; empty where not measured.
    """

    name: str
    params: dict[str, str | int | float | bool]
    threads: int
    subject: str | None
    timings: dict[str, Timing]
    ratios: list[Ratio]
    max_error: dict[str, float]
    peak_bytes: dict[str, int] = {}
    values: dict[str, float] = {}
    note: str = ""


class BarResult(_Frozen):
    """A bar of the goal table beside what this run measured.

    Over several cells `measured.median` is the geometric mean of the cells' medians (of the worst
    cell only for a bar on every cell), the quartiles are the geometric means of theirs, minimum and
    maximum are the medians of the worst and the best cell. `case`, `peer` and `worst` (a median)
    belong to the worst cell.
    """

    key: str
    what: str
    relation: Literal[">=", "<="]
    bar: float
    unit: str
    measured: Summary | None
    met: bool | None
    case: str | None
    peer: str | None
    source: str
    cells: int = 1
    cells_expected: int = 1
    worst: float | None = None


class Environment(_Frozen):
    """What the numbers depend on besides the code."""

    cpu: str
    isa: list[str]
    cores: int
    torch_threads: int
    load_average: float | None
    system: str
    variables: dict[str, str]
    freed_memory: Literal["kept", "returned"] = "returned"
    versions: dict[str, str]
    commit: str | None
    modified: bool | None


class Bandwidth(_Frozen):
    """Copy bandwidth (bytes read plus bytes written) of the fastest means, in the same run."""

    threads: int
    bytes_moved: int
    gb_per_s: Summary
    means: str = "torch copy_"


class Record(_Frozen):
    """One run of one suite."""

    schema_id: Literal["sparsegnn-bench/1"] = "sparsegnn-bench/1"
    suite: str
    mode: Mode
    created: str
    environment: Environment
    bandwidth: list[Bandwidth]
    cases: list[CaseRecord]
    bars: list[BarResult]
    skipped: dict[str, str] = {}
    notes: list[str] = []
