"""`python -m bench.never_slower`: measure the cases, print those that lost, keep a JSON record."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import torch
from rich.console import Console

import bench.never_slower as protocol
from bench.bandwidth import copy_bandwidth
from bench.environment import describe
from bench.never_slower.compare import compare
from bench.never_slower.drawing import draw
from bench.never_slower.report import bar, print_sweep
from bench.records import read_record, write_record
from bench.runner import record_name
from bench.schema import CaseRecord, Record

RESULTS = Path(__file__).resolve().parents[1] / "results"
_SAVE_EVERY = 10


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 1 if a case failed or a compiled model was slower; else 0."""
    options = _parser().parse_args(arguments)
    console = Console(width=None if Console().is_terminal else 160)
    if options.show is not None:
        print_sweep(read_record(options.show), console)
        return 0
    torch.set_num_threads(options.threads)
    record = _start(options)
    path = options.resume or options.out / record_name(record)
    wanted = range(options.first, options.first + options.cases)
    record = _measured(
        record, wanted, options, lambda done: write_record(path, _with_bar(done, options.cases))
    )
    console.print(f"record: {path.name}", markup=False, highlight=False)
    print_sweep(record, console)
    return int(bool(record.skipped) or any(case.values["slower"] > 0 for case in record.cases))


def _start(options: argparse.Namespace) -> Record:
    """The record to go on with, or an empty one."""
    if options.resume is not None and options.resume.exists():
        record = read_record(options.resume)
        commit = describe().commit
        if record.environment.commit != commit:
            raise SystemExit(
                f"{options.resume.name} must be of commit {commit}, got "
                f"{record.environment.commit}: measure all cases with one."
            )
        return record
    return Record(
        suite="never-slower",
        mode="default",
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        environment=describe(),
        bandwidth=[copy_bandwidth()],
        cases=[],
        bars=[],
        notes=[" ".join((protocol.__doc__ or "").split()), f"seed {options.seed}"],
    )


def _measured(
    record: Record, wanted: range, options: argparse.Namespace, save: Callable[[Record], None]
) -> Record:
    """The record with the cases that it does not have yet, as far as the time reaches."""
    began, fresh = time.perf_counter(), 0
    cases: dict[str, CaseRecord] = {case.name: case for case in record.cases}
    failed = dict(record.skipped)
    for index in wanted:
        if time.perf_counter() - began > options.seconds:
            break
        drawn = draw(options.seed, index)
        if drawn.name in cases:
            continue
        print(f"measuring {drawn.name}", file=sys.stderr, flush=True)
        failed.pop(drawn.name, None)
        try:
            cases[drawn.name] = compare(drawn, options.seed)
        except Exception as error:  # the other cases must not be lost with this one
            failed[drawn.name] = f"{type(error).__name__}: {error}"
        fresh += 1
        record = record.model_copy(
            update={"cases": [cases[name] for name in sorted(cases)], "skipped": failed}
        )
        if fresh % _SAVE_EVERY == 0:
            save(record)
    record = _with_bar(record, options.cases)
    save(record)
    return record


def _with_bar(record: Record, expected: int) -> Record:
    return record.model_copy(update={"bars": [bar(record.cases, expected)]})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.never_slower",
        description=protocol.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cases", type=int, default=240, help="how many")
    parser.add_argument("--first", type=int, default=0, help="number of the first one")
    parser.add_argument("--seed", type=int, default=0, help="what they are drawn from")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after this time")
    parser.add_argument("--threads", type=int, default=2, help="threads (default: 2)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the record")
    parser.add_argument("--resume", type=Path, help="a record to add the missing cases to")
    parser.add_argument("--show", type=Path, help="print an existing record")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
