"""`python -m bench`: measure, print the bars and every cell, keep a JSON record."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import cast

import torch
from rich.console import Console

from bench.records import read_record, write_record
from bench.report import print_record
from bench.schema import Mode, Record

RESULTS = Path(__file__).resolve().parent / "results"


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 1 if a case failed, or with --check if a bar was missed; else 0."""
    options = _parser().parse_args(arguments)
    console = Console(width=None if Console().is_terminal else 160)
    if options.show is not None:
        print_record(read_record(options.show), console)
        return 0
    record = _measure(options)
    _save(record, options.out, console)
    print_record(record, console)
    missed = options.check and any(bar.met is False for bar in record.bars)
    return int(bool(record.skipped) or missed)


def _measure(options: argparse.Namespace) -> Record:
    import sparsegnn as sg
    from bench.peers import optional
    from bench.runner import run

    torch.set_num_threads(options.threads)
    warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
    mode: Mode = "quick" if options.quick else "full" if options.full else "default"
    notes = optional.enable() if options.peers == "all" else []
    kept = options.keep_memory and sg.keep_freed_memory()
    return run(mode, cast(str, options.only), notes, kept)


def _save(record: Record, folder: Path, console: Console) -> None:
    from bench.runner import record_name

    name = record_name(record)
    write_record(folder / name, record)
    console.print(f"record: {name}", markup=False, highlight=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="half the graphs and widths, few rounds")
    size.add_argument("--full", action="store_true", help="also the 20-round search and accuracy")
    parser.add_argument("--only", default="", help="cases whose name contains this text")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the JSON record")
    parser.add_argument("--threads", type=int, default=2, help="threads (default: 2, as the bars)")
    parser.add_argument(
        "--peers", choices=["usual", "all"], default="usual", help="all: also torch-sparse and DGL"
    )
    parser.add_argument(
        "--keep-memory",
        action="store_true",
        help="keep freed blocks in the process: no call pays for cleared pages, ours or a peer's",
    )
    parser.add_argument("--check", action="store_true", help="exit status 1 if a bar is missed")
    parser.add_argument("--show", type=Path, help="print an existing record instead of measuring")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
