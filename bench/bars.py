"""The bars of the project's goals, each with the sentence it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.schema import BarResult, CaseRecord, Ratio, Summary

_GOAL = "Foundation goals, 'What it must show'"
_KERNELS = "Kernel study, 'Target ratios', CPU rows"
_TICKET = "gcn-forward/cora"


@dataclass(frozen=True)
class Bar:
    """What one case has to reach.

    Attributes:
        key: Short name.
        what: Row of the table.
        case: Name of the case it is read from.
        value: The bar.
        relation: Side of the bar that meets it.
        unit: "x" for a ratio.
        peers: Prefixes of peer names; the fastest matching peer counts. Empty: read `field`.
        field: Entry of the case's `values`, for bars that are no ratio.
        clock: Clock of the ratio.
        source: Where the bar is written.
    """

    key: str
    what: str
    case: str
    value: float
    relation: Literal[">=", "<="] = ">="
    unit: str = "x"
    peers: tuple[str, ...] = ()
    field: str = ""
    clock: Literal["wall", "cpu"] = "wall"
    source: str = _GOAL


BARS = (
    Bar(
        "mask-epoch",
        "UGS mask epoch, Cora GCN-512: dense N x N arithmetic / ours, CPU time",
        "ugs-mask-epoch/cora",
        80.0,
        peers=("dense N x N",),
        clock="cpu",
        source=f"{_GOAL}: at least 80x less CPU time than the dense N x N arithmetic, one run",
    ),
    Bar(
        "search-seconds",
        "full 20-round UGS on Cora, one seed",
        "ugs-search/cora",
        300.0,
        relation="<=",
        unit="s",
        field="seconds",
        source=f"{_GOAL}: at most 5 minutes on 2 cores",
    ),
    Bar(
        "search-nan",
        "full 20-round UGS on Cora: values that are not finite",
        "ugs-search/cora",
        0.0,
        relation="<=",
        unit="",
        field="not_finite",
        source=f"{_GOAL}: no NaN",
    ),
    Bar(
        "search-sparsity",
        "full 20-round UGS on Cora: entries off the exact counts",
        "ugs-search/cora",
        0.0,
        relation="<=",
        unit="",
        field="count_error",
        source=f"{_GOAL}: sparsities exact",
    ),
    Bar(
        "accuracy-dense",
        "ticket at 18.6 / 59.0 %: dense mean - ticket mean, in dense sd",
        "ugs-accuracy/cora",
        1.0,
        relation="<=",
        unit="sd",
        field="below_dense_sd",
        source=f"{_GOAL}: within 1 sd of the dense model over 5 seeds",
    ),
    Bar(
        "accuracy-random",
        "ticket at 18.6 / 59.0 %: ticket mean - random ticket mean",
        "ugs-accuracy/cora",
        2.0,
        unit="points",
        field="above_random",
        source=f"{_GOAL}: at least 2 points over the random ticket",
    ),
    Bar(
        "forward-pyg",
        "compiled ticket at 18.6 / 59.0 %, forward: PyG eager / ours",
        _TICKET,
        35.0,
        peers=("PyG eager",),
        source=f"{_GOAL}: at least 35x PyG eager on dense features",
    ),
    Bar(
        "forward-composite",
        "compiled ticket at 18.6 / 59.0 %, forward: best torch.sparse composite / ours",
        _TICKET,
        1.8,
        peers=("torch.sparse composite",),
        source=f"{_GOAL}: at least 1.8x an expert's torch composite",
    ),
    Bar(
        "spmm",
        "spmm fp32 forward, width 128: torch.sparse CSR / ours",
        "spmm/width=128",
        1.8,
        peers=("torch.sparse",),
        source=f"{_GOAL}: at least 1.8x torch.sparse CSR on 100 k nodes",
    ),
    Bar(
        "spmm-train",
        "spmm forward + backward (x, edges), width 128: PyG gather/scatter / ours",
        "spmm-train/width=128",
        15.0,
        peers=("PyG",),
        source=f"{_GOAL}: at least 15x PyG gather/scatter autograd",
    ),
    Bar(
        "linear-90",
        "sparse_linear, 90 % zeros, 20k x 512 x 512: dense / ours",
        "sparse-linear/20000x512x512/zeros=0.90",
        2.5,
        peers=("dense",),
        source=f"{_KERNELS}: sparse linear 90 % at least 2.5x dense fp32",
    ),
    Bar(
        "linear-95",
        "sparse_linear, 95 % zeros, 20k x 512 x 512: dense / ours",
        "sparse-linear/20000x512x512/zeros=0.95",
        3.0,
        peers=("dense",),
        source=f"{_KERNELS}: sparse linear 95 % at least 3x dense fp32",
    ),
    Bar(
        "linear-95-torch",
        "sparse_linear, 95 % zeros, 20k x 512 x 512: best torch.sparse / ours",
        "sparse-linear/20000x512x512/zeros=0.95",
        4.0,
        peers=("torch.sparse",),
        source=f"{_KERNELS}: sparse linear at least 4x torch.sparse",
    ),
    Bar(
        "topk",
        "topk_mask, 10 M scores, 10 % kept: torch.topk or kthvalue / ours",
        "topk-mask/n=10000000",
        15.0,
        peers=("torch.topk", "torch.kthvalue"),
        source=f"{_KERNELS}: threshold of 10 M values at least 15x torch.topk / kthvalue",
    ),
)


def judge(bar: Bar, cases: list[CaseRecord]) -> BarResult:
    """The bar beside what `cases` measured; `measured` is None where the case did not run."""
    case = next((case for case in cases if case.name == bar.case), None)
    ratio = _fastest_peer(bar, case) if case is not None else None
    measured = _measured(bar, case, ratio)
    return BarResult(
        key=bar.key,
        what=bar.what,
        relation=bar.relation,
        bar=bar.value,
        unit=bar.unit,
        measured=measured,
        met=None if measured is None else _meets(bar, measured.median),
        case=None if case is None else case.name,
        peer=None if ratio is None else ratio.peer,
        source=bar.source,
    )


def _measured(bar: Bar, case: CaseRecord | None, ratio: Ratio | None) -> Summary | None:
    if ratio is not None:
        return ratio.wall if bar.clock == "wall" else ratio.cpu
    if case is None or bar.field not in case.values:
        return None
    value = case.values[bar.field]
    return Summary(median=value, q1=value, q3=value, minimum=value, maximum=value, count=1)


def _fastest_peer(bar: Bar, case: CaseRecord) -> Ratio | None:
    matching = [ratio for ratio in case.ratios if ratio.peer.startswith(bar.peers or ("\0",))]
    if not matching:
        return None
    return min(matching, key=lambda ratio: getattr(ratio, bar.clock).median)


def _meets(bar: Bar, value: float) -> bool:
    return value >= bar.value if bar.relation == ">=" else value <= bar.value
