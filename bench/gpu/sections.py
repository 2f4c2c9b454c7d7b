"""Runs the benchmark in sections that cannot spoil each other."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bench.gpu.setting import Setting

Case = dict[str, Any]
Cases = Iterator[tuple[str, Callable[[], Case]]]


@dataclass(frozen=True)
class Section:
    """A family of cases with a time limit of its own.

    Attributes:
        name: Key in the record.
        limit_s: No case starts later than this after the section did.
        cases: Gives (name, function that measures it).
    """

    name: str
    limit_s: float
    cases: Callable[[Setting], Cases]


def run_section(section: Section, setting: Setting, deadline: float) -> dict[str, Any]:
    """Measures the cases of a section; what goes wrong is recorded, not raised.

    Returns the cases, the errors with their tracebacks, and the names left out for want of time.
    """
    cases: list[Case] = []
    errors: list[dict[str, str]] = []
    left_out: list[str] = []
    end = min(deadline, time.monotonic() + section.limit_s)
    try:
        for name, measure in section.cases(setting):
            if time.monotonic() > end:
                left_out.append(name)
                continue
            try:
                cases.append({"case": name, **measure()})
                print(f"  {line_of(cases[-1])}", flush=True)
            except Exception:
                errors.append(_error(name))
            _release(setting)
    except Exception:
        errors.append(_error(section.name))
    return {"cases": cases, "errors": errors, "left_out": left_out}


def _error(name: str) -> dict[str, str]:
    trace = traceback.format_exc()
    print(f"  {name} failed: {trace.strip().splitlines()[-1][:200]}", flush=True)
    return {"case": name, "error": trace[-3000:]}


def _release(setting: Setting) -> None:
    """Gives memory back, so that one large case does not starve the next."""
    if setting.device == "cuda":
        import torch

        torch.cuda.empty_cache()


def line_of(case: Case) -> str:
    """Name, milliseconds by alternative, then the plain numbers of a case."""
    times = [f"{n} {t['median_s'] * 1e3:.4g} ms" for n, t in case.get("timings", {}).items()]
    numbers = [f"{n} {v:.4g}" for n, v in case.items() if isinstance(v, float)]
    return f"{case['case']}: {', '.join(times + numbers)}"
