"""Run the jobs of a mode into one record."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from pathlib import Path

import torch

from bench.bandwidth import copy_bandwidth, with_copy_fraction
from bench.bars import BARS
from bench.cases import thread_count
from bench.environment import describe
from bench.judge import judge
from bench.schema import Bandwidth, CaseRecord, Mode, Record
from bench.suites import jobs


def run(
    mode: Mode, only: str = "", notes: list[str] | None = None, memory_kept: bool = False
) -> Record:
    """Measure every case whose name contains `only`.

    A case that fails is named in `skipped` with its error and does not stop the others. `notes` are
    kept in the record, and `memory_kept` says whether the process keeps freed blocks.
    """
    created = datetime.now(timezone.utc).isoformat(timespec="seconds")
    environment = describe(memory_kept)
    bandwidth = _bandwidths()
    copies = {item.threads: item.gb_per_s for item in bandwidth}
    cases: list[CaseRecord] = []
    failed: dict[str, str] = {}
    for name, job in jobs(mode).items():
        if only not in name:
            continue
        print(f"measuring {name}", file=sys.stderr, flush=True)
        try:
            cases.append(with_copy_fraction(job(), copies))
        except Exception as error:  # an hour of other cases must not be lost with this one
            failed[name] = f"{type(error).__name__}: {error}"
            print(f"  failed: {failed[name]}", file=sys.stderr, flush=True)
    return Record(
        suite="cpu",
        mode=mode,
        created=created,
        environment=environment,
        bandwidth=bandwidth,
        cases=cases,
        bars=[judge(bar, cases) for bar in BARS],
        skipped=failed,
        notes=notes or [],
    )


def record_name(record: Record) -> Path:
    """File name of a record: suite, mode, time and commit."""
    stamp = record.created.split("+")[0].replace("-", "").replace(":", "")
    commit = (record.environment.commit or "nocommit")[:10]
    return Path(f"{record.suite}-{record.mode}-{stamp}Z-{commit}.json")


def _bandwidths() -> list[Bandwidth]:
    found = []
    for threads in sorted({1, torch.get_num_threads()}):
        with thread_count(threads):
            found.append(copy_bandwidth())
    return found
