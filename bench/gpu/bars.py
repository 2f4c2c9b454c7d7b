"""The goals on a GPU beside what a run measured. Pure: a record in, verdicts out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.gpu.model import gather_points, rate_at

OURS = "sparsegnn"
TORCH = "torch.sparse int64"
Cases = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Bar:
    """A goal for the geometric mean of ratios, or with `worst` for the smallest of them."""

    name: str
    goal: float
    ratios: Sequence[float]
    worst: bool = False

    def verdict(self) -> dict[str, object]:
        """Measured value and whether it meets the goal; None where nothing was measured."""
        measured = None
        if self.ratios:
            measured = min(self.ratios) if self.worst else geometric_mean(self.ratios)
        return {
            "bar": self.name,
            "goal": self.goal,
            "measured": measured,
            "of": "the worst case" if self.worst else "the geometric mean",
            "cases": len(self.ratios),
            "met": None if measured is None else measured >= self.goal,
        }


def geometric_mean(values: Sequence[float]) -> float:
    """Geometric mean of positive values."""
    return math.exp(sum(math.log(value) for value in values) / len(values))


def seconds(case: Mapping[str, Any], name: str) -> float | None:
    """Median seconds of an alternative; None where it was not measured."""
    timing = case.get("timings", {}).get(name)
    return None if timing is None else float(timing["median_s"])


def ratios(cases: Cases, peer: str, ours: str = OURS) -> list[float]:
    """Peer time over our time for every case that has both."""
    found = []
    for case in cases:
        ours_s, peer_s = seconds(case, ours), seconds(case, peer)
        if ours_s and peer_s:
            found.append(peer_s / ours_s)
    return found


def of_type(cases: Cases, dtype: str) -> list[Mapping[str, Any]]:
    """The cases of one dtype."""
    return [case for case in cases if case.get("dtype") == dtype]


def half_against_single(cases: Cases) -> list[float]:
    """torch.sparse in float32 over ours in bfloat16, on the same graph and width."""
    single = {(c["graph"], c["width"]): seconds(c, TORCH) for c in of_type(cases, "float32")}
    found = []
    for case in of_type(cases, "bfloat16"):
        ours_s, peer_s = seconds(case, OURS), single.get((case["graph"], case["width"]))
        if ours_s and peer_s:
            found.append(peer_s / ours_s)
    return found


def of_bandwidth(cases: Cases, bandwidth: Cases) -> list[float]:
    """Achieved rate of our aggregation over the measured gather rate at its footprint."""
    points = gather_points(bandwidth)
    found = []
    for case in cases:
        ours_s = seconds(case, OURS)
        allowed = rate_at(points, case["footprint_bytes"], case["row_bytes"])
        if ours_s and allowed:
            found.append(case["moved_bytes"] / ours_s / allowed)
    return found


def judge(sections: Mapping[str, Mapping[str, Any]]) -> list[dict[str, object]]:
    """Every bar, from the sections of a record; sections may be missing."""

    def cases(name: str) -> Cases:
        found: Cases = sections.get(name, {}).get("cases", [])
        return found

    spmm, narrow = cases("spmm"), [c for c in cases("spmm") if c["width"] >= 32]
    single = of_type(narrow, "float32")
    k32 = [case for case in cases("rows") if case["k"] == 32]
    bars = [
        Bar("spmm float32 against torch.sparse", 1.25, ratios(single, TORCH)),
        Bar("spmm float32 never slower", 0.95, ratios(of_type(spmm, "float32"), TORCH), worst=True),
        Bar("spmm bfloat16 against torch.sparse float32", 1.9, half_against_single(narrow)),
        Bar("spmm of the measured gather rate", 0.8, of_bandwidth(narrow, cases("bandwidth"))),
        Bar("learnable mask step against PyG", 8.0, ratios(cases("mask step"), "PyG")),
        Bar("top-k rows, k=32 of 256, against dense cuSPARSE", 3.5, ratios(k32, "cuSPARSE")),
        Bar("row selection against torch.topk", 8.0, ratios(cases("row selection"), "torch.topk")),
        Bar("threshold of 10M against torch.topk", 5.0, ratios(cases("selection"), "torch.topk")),
    ]
    return [bar.verdict() for bar in bars]
