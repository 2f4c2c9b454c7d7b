"""Every benchmark by name, built only when it is its turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property, partial
from importlib import import_module
from inspect import signature
from pkgutil import iter_modules
from shutil import which
from types import ModuleType

import sparsegnn as sg
from bench import grid, ops
from bench.bars import BARS
from bench.cases import Builders, Case, run_case
from bench.end_to_end import gcn, mask_epoch, models, res_gcn, search, sparse_train
from bench.end_to_end.setting import Setting
from bench.graphs import POWER_LAW
from bench.harness import QUICK, Plan
from bench.schema import CaseRecord, Mode

Job = Callable[[], CaseRecord]
# A run by default takes half an hour: few seconds a cell, three calls of a slow peer.
_CELL = Plan(rounds=9, min_sample_s=0.01, budget_s=2.5, slow_s=0.5)
GRID_PLANS = {
    "quick": Plan(rounds=5, warmup=1, min_sample_s=0.01, budget_s=1.0, min_rounds=2, slow_s=0.5),
    "default": _CELL,
    "full": replace(_CELL, rounds=15, budget_s=8.0),
}
SEARCH_EPOCHS = {"quick": 20, "default": 50, "full": 200}


@dataclass
class Shared:
    """Inputs that several jobs use, made at the first use."""

    mode: Mode

    @cached_property
    def setting(self) -> Setting:
        """Cora and its settings."""
        return Setting.cora()

    @cached_property
    def ticket(self) -> sg.Ticket:
        """The ticket at 18.6 / 59.0 %."""
        return gcn.short_search(self.setting, SEARCH_EPOCHS[self.mode])


def jobs(mode: Mode) -> dict[str, Job]:
    """Jobs by case name, in the order they run."""
    found: dict[str, Job] = {}
    operators = _operators(mode)
    for builders, plan in (
        (grid.cases(mode), GRID_PLANS[mode]),
        (_split(operators, True), GRID_PLANS[mode]),
        (_split(operators, False), GRID_PLANS["full" if mode == "full" else "quick"]),
        (models.cases(mode == "quick"), GRID_PLANS[mode]),
        (sparse_train.cases(mode == "quick", mode == "full"), GRID_PLANS[mode]),
        (_end_to_end(Shared(mode)), QUICK if mode == "quick" else Plan()),
        (_deep() if mode == "full" else {}, res_gcn.PLAN),
    ):
        found.update({name: partial(_run, name, builders[name], plan) for name in builders})
    if mode == "full":
        found["ugs-search/cora"] = lambda: search.full_search(Setting.cora())
        found["ugs-accuracy/cora"] = lambda: search.accuracy(Setting.cora())
    return found


def _split(builders: Builders, with_bar: bool) -> Builders:
    """The cases that a bar reads, or the others, which take fewer rounds by default."""
    patterns = [bar.case for bar in BARS]
    return {
        name: build
        for name, build in builders.items()
        if with_bar == any(fnmatchcase(name, pattern) for pattern in patterns)
    }


def _operators(mode: Mode) -> Builders:
    """What every module of `bench/ops` with a function `cases` offers.

    The function may take `quick` and `full`, and `edges` for a graph.
    """
    given: dict[str, Callable[[], object]] = {
        "quick": lambda: mode == "quick",
        "full": lambda: mode == "full",
        "edges": POWER_LAW.load,
    }
    found: Builders = {}
    for module in _modules(ops.__path__):
        make = getattr(module, "cases", None)
        if make is not None:
            found.update(make(**{name: given[name]() for name in signature(make).parameters}))
    return found


def _modules(path: list[str]) -> list[ModuleType]:
    names = sorted(info.name for info in iter_modules(path))
    plain = [name for name in names if name != "conftest" and not name.startswith("test_")]
    return [import_module(f"bench.ops.{name}") for name in plain]


def _end_to_end(shared: Shared) -> Builders:
    found: Builders = {
        "ugs-mask-epoch/cora": lambda: mask_epoch.case(shared.setting),
        "gcn-forward/cora": lambda: gcn.forward(
            shared.setting,
            shared.ticket,
            "ugs",
            with_compile=shared.mode == "full" and which("g++") is not None,
        ),
        "gcn-train/cora": lambda: gcn.training(shared.setting, shared.ticket),
    }
    if shared.mode != "quick":
        found["gcn-forward/cora-random"] = lambda: gcn.forward(
            shared.setting, gcn.random_of_same_size(shared.setting), "random"
        )
    return found


def _deep() -> Builders:
    """Beside PyG at a depth at which its step fits, and ours at the full one."""
    name = f"res-gcn-train/{POWER_LAW.name}"
    return {
        f"{name}/2": lambda: res_gcn.training(POWER_LAW.load(), 2),
        f"{name}/28": lambda: res_gcn.training(POWER_LAW.load(), 28, peers=False),
    }


def _run(name: str, build: Callable[[], Case], plan: Plan) -> CaseRecord:
    case = build()
    if case.name != name:
        raise ValueError(f"case: expected the name {name}, got {case.name}")
    return run_case(case, plan)
