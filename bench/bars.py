"""The bars of the project's goals, each with the sentence it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.graphs import WEB

_GOAL = "Foundation goals, 'What it must show'"
_MODELS = "Acceleration goals, 'What it must show', CPU, 2 threads"
_KERNELS = "Kernel goals, CPU table, 2 threads"
_STUDY = "Kernel study, 'Target ratios', CPU rows"
_TICKET = "gcn-forward/cora"
GRID_CELLS = 16  # four graphs by four widths
LINEAR_CELLS = 5  # shapes, at one sparsity
MODEL_CELLS = 20  # four models by five data sets
DATA_CELLS = 5
GAT_CELLS = 6  # two graphs by three shapes
SPGEMM_CELLS = 32  # rows, widths, entries, outputs and sparsities

Quantity = Literal["wall", "cpu", "memory"]


@dataclass(frozen=True)
class Bar:
    """What a case, or a family of cases, has to reach.

    Attributes:
        key: Short name.
        what: Row of the table.
        case: Name of the case it is read from, or a pattern with `*`: the geometric mean over all
            cases that match counts.
        value: The bar.
        relation: Side of the bar that meets it.
        unit: "x" for a ratio.
        peers: Prefixes of peer names; the fastest matching peer of each case counts. Empty: read
            `field`.
        field: Entry of the cases' `values`, for bars that are no ratio.
        quantity: What the ratio is taken of.
        every: Whether each case has to reach the bar, not only their mean.
        cells: Number of cases of the whole family.
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
    quantity: Quantity = "wall"
    every: bool = False
    cells: int = 1
    source: str = _GOAL


_FOUNDATION = (
    Bar(
        "mask-epoch",
        "UGS mask epoch, Cora GCN-512: dense N x N arithmetic / ours, CPU time",
        "ugs-mask-epoch/cora",
        80.0,
        peers=("dense N x N",),
        quantity="cpu",
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
        "spmm fp32 forward, web graph, width 128: torch.sparse CSR / ours",
        f"spmm/{WEB.file}*/width=128",
        1.8,
        peers=("torch.sparse",),
        source=f"{_GOAL}: at least 1.8x torch.sparse CSR on 100 k nodes",
    ),
    Bar(
        "spmm-train",
        "spmm forward + backward (x, edges), web graph, width 128: PyG / ours",
        f"spmm-train/{WEB.file}*/width=128",
        15.0,
        peers=("PyG",),
        source=f"{_GOAL}: at least 15x PyG gather/scatter autograd",
    ),
)


def _grid(key: str, what: str, value: float, *peers: str, every: bool = False) -> Bar:
    """A bar over graphs and widths; the family is the key up to its first colon."""
    pattern = f"{key.split(':')[0]}/*/width=*"
    return Bar(
        key, what, pattern, value, peers=peers, every=every, cells=GRID_CELLS, source=_KERNELS
    )


def _linear(key: str, zeros: str, value: float, peer: str) -> Bar:
    """A bar over the shapes of the sparse linear layer at one sparsity."""
    what = f"sparse_linear, {zeros} zeros: {peer} / ours"
    case = f"sparse-linear/*/zeros={zeros}"
    return Bar(key, what, case, value, peers=(peer,), cells=LINEAR_CELLS, source=_KERNELS)


def _gat(key: str, what: str, quantity: Quantity) -> Bar:
    """A bar over graphs and shapes of the attention layer."""
    source = f"{_KERNELS}; {_STUDY}: CPU GAT, with an input width of 64"
    return Bar(
        key,
        f"GAT layer, forward + backward: {what} of PyG / ours",
        "gat-train/*",
        8.0,
        peers=("PyG",),
        quantity=quantity,
        cells=GAT_CELLS,
        source=source,
    )


def _model(
    key: str, what: str, case: str, value: float, peer: str, cells: int, every: bool = False
) -> Bar:
    """A bar over models and data sets."""
    return Bar(key, what, case, value, peers=(peer,), cells=cells, every=every, source=_MODELS)


_DENSE = "dense model, forward pass"
_EPOCH = "dense model, training epoch"
_MODEL_BARS = (
    _model("model:pyg", f"{_DENSE}: PyG eager / ours", "model-forward/*", 10.0, "PyG", MODEL_CELLS),
    _model("model:worst", "the same, every cell", "model-forward/*", 3.0, "PyG", MODEL_CELLS, True),
    _model(
        "model:composite",
        f"{_DENSE}, GCN: best torch.sparse composite / ours",
        "model-forward/GCN-*",
        1.8,
        "torch.sparse",
        DATA_CELLS,
    ),
    _model(
        "model-train:pyg", f"{_EPOCH}: PyG eager / ours", "model-train/*", 6.0, "PyG", MODEL_CELLS
    ),
    _model(
        "model-train:worst", "the same, every cell", "model-train/*", 2.0, "PyG", MODEL_CELLS, True
    ),
    *(
        _model(
            f"ticket:{peer}-{weights}",
            f"GCN pruned by {edges} / {weights} %, forward pass: {what} / ours",
            f"model-ticket/{edges}-{weights}/*",
            value,
            prefix,
            DATA_CELLS,
        )
        for peer, what, prefix, values in (
            ("pyg", "dense PyG eager", "PyG", (20.0, 28.0, 45.0)),
            ("composite", "best torch.sparse composite", "torch.sparse", (1.8, 2.5, 4.0)),
        )
        for (edges, weights), value in zip(((20, 60), (40, 90), (60, 98)), values, strict=True)
    ),
)

_OPERATORS = (
    _grid("spmm:torch", "spmm sum fp32, weighted: best torch.sparse CSR / ours", 2.0, "torch."),
    _grid("spmm:worst", "the same, every cell", 1.2, "torch.", every=True),
    _grid("spmm:scipy", "spmm sum fp32, weighted: scipy / ours", 2.5, "scipy"),
    _grid("spmm:pyg", "spmm sum fp32, weighted: PyG gather/scatter / ours", 18.0, "PyG"),
    Bar(
        "spmm:bandwidth",
        "spmm sum fp32: achieved bandwidth / copy bandwidth of the run",
        "spmm/*/width=*",
        0.9,
        field="of_copy",
        cells=GRID_CELLS,
        source=_KERNELS,
    ),
    _grid("spmm-max:aten", "spmm max: torch.sparse.mm amax / ours", 2.5, "torch."),
    _grid("spmm-bf16:mkl", "spmm, bf16 features: torch.sparse fp32 / ours", 2.5, "torch."),
    _grid("spmm-train:pyg", "learnable mask step: PyG gather/scatter / ours", 18.0, "PyG"),
    _grid("spmm-train:composite", "learnable mask step: torch composite / ours", 2.2, "torch."),
    _gat("gat:time", "time", "wall"),
    _gat("gat:memory", "peak memory", "memory"),
    _linear("linear-90", "0.90", 2.5, "dense"),
    _linear("linear-95", "0.95", 3.0, "dense"),
    _linear("linear-90-torch", "0.90", 4.0, "torch.sparse"),
    _linear("linear-95-torch", "0.95", 4.0, "torch.sparse"),
    Bar(
        "spgemm",
        "spgemm, top-k rows by sparse weights, dense result: scipy CSR @ CSR (CSR result) / ours",
        "spgemm/*",
        2.0,
        peers=("scipy CSR @ CSR (",),
        cells=SPGEMM_CELLS,
        source=_KERNELS,
    ),
    Bar(
        "topk",
        "topk_mask, 10 M scores, 10 % kept: torch.topk or kthvalue / ours",
        "topk-mask/n=10000000",
        15.0,
        peers=("torch.topk", "torch.kthvalue"),
        source=f"{_KERNELS}; {_STUDY}: threshold of 10 M values",
    ),
)
BARS = (*_FOUNDATION, *_OPERATORS, *_MODEL_BARS)
