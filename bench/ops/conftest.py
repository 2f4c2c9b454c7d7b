"""Shared inputs of the operator benchmarks: `pytest bench/ops --benchmark-enable`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.cases import Case, agreement
from bench.graphs import WEB
from bench.inputs import EdgeList

Check = Callable[[Case, str], None]


@pytest.fixture(scope="session")
def edges() -> EdgeList:
    """The web graph, or the generated graph that stands in for it."""
    return WEB.load()


@pytest.fixture
def run_alternative(benchmark: Any) -> Check:
    """Check one alternative of a case against the reference, then time it."""

    def run(case: Case, name: str) -> None:
        errors = agreement(case, only=name)
        benchmark.group = case.name
        benchmark.extra_info.update(case.params, max_error=errors.get(name))
        benchmark(case.alternatives[name])

    return run
