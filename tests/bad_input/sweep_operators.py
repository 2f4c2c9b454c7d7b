"""Every public operator with valid arguments on any graph, and its float64 reference.

The sweep corrupts one argument at a time by its kind, so an operator needs no cases of its own.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

import sparsegnn as sg
from sparsegnn.testing import (
    reference_edge_scores,
    reference_edge_softmax,
    reference_hard_concrete,
    reference_sddmm,
    reference_spmm,
    reference_spmm_extreme,
    reference_topk_mask,
    reference_topk_rows,
)
from sparsegnn.testing.graphs import EdgeList

Arguments = dict[str, Any]
WIDTH = 5


@dataclass(frozen=True)
class Operator:
    """What the sweep knows of one operator.

    Attributes:
        run: The public function.
        arguments: Fresh valid arguments for an edge list.
        expected: The results in float64 for the edge list and (corrupted but valid) arguments.
        kinds: Kind of every argument that is corrupted, see `sweep_cases.KINDS`.
        names: Words of which an error about the argument has to hold one, where not its name.
        differentiable: Whether a backward pass is tried as well.
        most: The largest count to keep, where that is not the number of scores.
        gathers: The argument whose rows the edges gather, where a dropped edge must hide it.
    """

    run: Callable[..., Any]
    arguments: Callable[[EdgeList], Arguments]
    expected: Callable[..., list[torch.Tensor]]
    kinds: dict[str, str]
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    differentiable: bool = True
    most: int | None = None
    gathers: str = ""


def floats(*shape: int, seed: int = 0) -> torch.Tensor:
    """Normal numbers that depend on shape and seed only."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def bools(size: int) -> torch.Tensor:
    """Two of three entries kept."""
    return torch.arange(size) % 3 != 1


def _spmm_arguments(edges: EdgeList) -> Arguments:
    count = edges.edge_index.shape[1]
    return {
        "g": edges.graph(),
        "x": floats(edges.num_src, WIDTH),
        "edge_weight": floats(count, seed=1),
        "edge_mask": bools(count),
        "row_scale": floats(edges.num_dst, seed=2),
        "col_scale": floats(edges.num_src, seed=3),
        "bias": floats(WIDTH, seed=4),
        "relu": True,
        "reduce": "sum",
        "residual": floats(edges.num_dst, WIDTH, seed=5),
        "dropout": 0.0,
        "seed": 3,
        "out_dtype": torch.float32,
    }


def _spmm_expected(edges: EdgeList, g: sg.Graph, x: torch.Tensor, **rest: Any) -> list[Any]:
    residual = rest.pop("residual").double()
    for name in ("reduce", "dropout", "seed", "out_dtype"):
        rest.pop(name)
    return [reference_spmm(edges.edge_index, edges.num_dst, x, **rest) + residual]


def _extreme_arguments(edges: EdgeList) -> Arguments:
    count = edges.edge_index.shape[1]
    return {
        "g": edges.graph(),
        "x": floats(edges.num_src, WIDTH),
        "edge_weight": floats(count, seed=1),
        "edge_mask": bools(count),
        "reduce": "max",
        "bias": floats(WIDTH, seed=4),
    }


def _extreme_expected(edges: EdgeList, g: sg.Graph, **rest: Any) -> list[Any]:
    values = (rest["x"], rest["edge_weight"], rest["edge_mask"])
    best, _ = reference_spmm_extreme(edges.edge_index, edges.num_dst, *values)
    return [best + rest["bias"].double()]


def _sddmm_arguments(edges: EdgeList) -> Arguments:
    return {
        "g": edges.graph(),
        "a": floats(edges.num_dst, WIDTH),
        "b": floats(edges.num_src, WIDTH, seed=1),
        "edge_mask": bools(edges.edge_index.shape[1]),
    }


def _sddmm_expected(edges: EdgeList, g: sg.Graph, **rest: Any) -> list[Any]:
    return [reference_sddmm(edges.edge_index, rest["a"], rest["b"], rest["edge_mask"])]


def _linear_arguments(edges: EdgeList) -> Arguments:
    distinct = torch.unique(edges.edge_index, dim=1)
    pattern = sg.Graph.from_edge_index(distinct, num_src=edges.num_src, num_dst=edges.num_dst)
    return {
        "x": floats(4, edges.num_src),
        "weight": sg.SparseWeight(pattern, floats(distinct.shape[1], seed=1)),
        "bias": floats(edges.num_dst, seed=2),
    }


def _linear_expected(edges: EdgeList, x: Any, weight: Any, bias: Any) -> list[Any]:
    """Entry by entry: a number beside an absent weight has no influence, NaN included."""
    distinct = torch.unique(edges.edge_index, dim=1)
    kept = floats(distinct.shape[1], seed=1)
    return [reference_spmm(distinct, edges.num_dst, x.t(), kept).t() + bias.double()]


def _hidden_arguments(edges: EdgeList) -> Arguments:
    """Features from the edges; the graph after them reverses the nodes."""
    features = edges.graph().in_storage_order()
    nodes = torch.arange(features.num_dst, dtype=torch.int32)
    return {
        "x_rowptr": features.rowptr,
        "x_col": features.col,
        "x_value": floats(features.num_edges),
        "x_row_scale": floats(features.num_dst, seed=1),
        "a_rowptr": torch.arange(features.num_dst + 1, dtype=torch.int32),
        "a_col": nodes.flip(0),
        "a_value": floats(features.num_dst, seed=2),
        "w1": sg.ops.pack_panels(floats(features.num_src, 140, seed=3)),
        "bias": floats(256, seed=4),
        "w2": floats(3, 256, seed=5),
    }


def _hidden_expected(edges: EdgeList, **given: Any) -> list[Any]:
    w1 = given["w1"]
    wide = w1.transpose(0, 1).reshape(w1.shape[1], w1.shape[0] * w1.shape[2])
    hidden = _csr_times(given["x_rowptr"], given["x_col"], wide, given["x_value"])
    hidden = hidden * given["x_row_scale"].double().unsqueeze(1)
    gathered = _csr_times(given["a_rowptr"], given["a_col"], hidden, given["a_value"])
    return [(gathered + given["bias"].double()).relu() @ given["w2"].double().t()]


def _csr_times(rowptr: Any, col: Any, x: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    row = torch.repeat_interleave(rowptr.diff().long())
    return reference_spmm(torch.stack([col.long(), row]), rowptr.numel() - 1, x, value)


def _panels_expected(edges: EdgeList, weight: torch.Tensor) -> list[Any]:
    padding = -weight.shape[1] % 128
    padded = torch.nn.functional.pad(weight.double(), (0, padding))
    return [torch.stack(padded.split(128, dim=1))]


def _dropout_expected(edges: EdgeList, x: torch.Tensor, p: float, seed: int) -> list[Any]:
    """Which elements drop is tested elsewhere; here those of the same shape, scaled."""
    kept = sg.ops.dropout(torch.ones(x.shape), p, seed).double()
    return [torch.where(kept == 0, 0.0, x.double() * kept)]


def _scores_arguments(edges: EdgeList) -> Arguments:
    return {
        "g": edges.graph(),
        "s_dst": floats(edges.num_dst, 3),
        "s_src": floats(edges.num_src, 3, seed=1),
        "edge_mask": bools(edges.edge_index.shape[1]),
        "negative_slope": 0.2,
    }


def _scores_expected(edges: EdgeList, g: sg.Graph, **rest: Any) -> list[Any]:
    slope = rest.pop("negative_slope")
    return [reference_edge_scores(edges.edge_index, **rest, negative_slope=slope)]


def _softmax_arguments(edges: EdgeList) -> Arguments:
    count = edges.edge_index.shape[1]
    return {"g": edges.graph(), "scores": floats(count, 3), "edge_mask": bools(count)}


def _softmax_expected(edges: EdgeList, g: sg.Graph, **rest: Any) -> list[Any]:
    return [reference_edge_softmax(edges.edge_index, edges.num_dst, **rest)]


def _topk_rows(x: torch.Tensor, k: int, by: str) -> list[torch.Tensor]:
    rows = sg.ops.topk_rows(x, k, by=by)  # type: ignore[arg-type]
    return [rows.values, rows.ids.long()]


def _spmm_topk_arguments(edges: EdgeList) -> Arguments:
    names = ("g", "x", "edge_weight", "edge_mask", "row_scale", "col_scale", "bias", "relu")
    arguments = _spmm_arguments(edges)
    return {**{name: arguments[name] for name in names}, "k": 2, "by": "value"}


def _spmm_topk(**arguments: Any) -> torch.Tensor:
    return sg.ops.spmm_topk(**arguments).to_dense()


def _spmm_topk_expected(
    edges: EdgeList, g: sg.Graph, x: torch.Tensor, k: int, by: str, **rest: Any
) -> list[Any]:
    y = reference_spmm(edges.edge_index, edges.num_dst, x, **rest)
    values, ids = reference_topk_rows(y, k, by == "magnitude")
    return [torch.zeros_like(y).scatter(1, ids, values)]


def _matrix_expected(edges: EdgeList, x: torch.Tensor, count: int) -> list[Any]:
    (keep,) = reference_topk_mask([x.abs()], count)
    return [torch.where(keep, x.double(), 0.0)]


def _spgemm_arguments(edges: EdgeList) -> Arguments:
    """The edges' distinct pairs as a sparse matrix, times the two largest of every row."""
    distinct = torch.unique(edges.edge_index, dim=1)
    pattern = sg.Graph.from_edge_index(distinct, num_src=edges.num_src, num_dst=edges.num_dst)
    right = sg.ops.topk_rows(floats(edges.num_src, WIDTH), 2)
    return {"a": sg.SparseMatrix(pattern, floats(distinct.shape[1], seed=1)), "b": right}


def _rows_arguments(edges: EdgeList) -> Arguments:
    count = edges.edge_index.shape[1]
    return {
        "g": edges.graph(),
        "x": sg.ops.topk_rows(floats(edges.num_src, WIDTH), 2),
        "edge_weight": floats(count, seed=1),
        "edge_mask": bools(count),
        "row_scale": floats(edges.num_dst, seed=2),
    }


def _rows_expected(
    edges: EdgeList, g: sg.Graph, x: sg.SparseRows, edge_mask: torch.Tensor, **rest: Any
) -> list[Any]:
    """Column by column over the sources that store an entry of it: the others take no part."""
    dense, stored = x.to_dense(), torch.zeros(x.shape, dtype=torch.bool)
    stored.scatter_(1, x.ids.long(), True)
    columns = []
    for column in range(x.num_cols):
        there = stored[edges.edge_index[0], column]
        mask = there & edge_mask if edge_mask.dtype == torch.bool else edge_mask * there
        one = dense[:, column : column + 1]
        columns.append(reference_spmm(edges.edge_index, edges.num_dst, one, edge_mask=mask, **rest))
    return [torch.cat(columns, dim=1)]


def _topk_arguments(edges: EdgeList) -> Arguments:
    count = edges.edge_index.shape[1]
    return {"scores": [floats(count), floats(3, 2, seed=1)], "k": 4}


OPERATORS = {
    "spmm": Operator(
        sg.ops.spmm,
        _spmm_arguments,
        _spmm_expected,
        kinds={
            "g": "graph",
            "x": "matrix",
            "edge_weight": "vector",
            "edge_mask": "mask",
            "row_scale": "vector",
            "col_scale": "vector",
            "bias": "vector",
            "relu": "flag",
            "reduce": "choice",
            "residual": "optional matrix",
            "dropout": "probability",
            "out_dtype": "dtype",
        },
        names={"edge_weight": ("weight",), "edge_mask": ("mask",)},
        gathers="x",
    ),
    "spmm max": Operator(
        sg.ops.spmm,
        _extreme_arguments,
        _extreme_expected,
        kinds={
            "g": "graph",
            "x": "matrix",
            "edge_weight": "vector",
            "edge_mask": "mask",
            "reduce": "choice",
            "bias": "vector",
        },
        names={"edge_weight": ("weight",), "edge_mask": ("mask",)},
        gathers="x",
    ),
    "sddmm": Operator(
        sg.ops.sddmm,
        _sddmm_arguments,
        _sddmm_expected,
        kinds={"g": "graph", "a": "matrix", "b": "matrix", "edge_mask": "mask"},
        names={"edge_mask": ("coef",), "a": ("b",)},
        gathers="b",
    ),
    "sparse_linear": Operator(
        sg.ops.sparse_linear,
        _linear_arguments,
        _linear_expected,
        kinds={"x": "batch", "weight": "graph", "bias": "vector"},
    ),
    "edge_scores": Operator(
        sg.ops.edge_scores,
        _scores_arguments,
        _scores_expected,
        kinds={
            "g": "graph",
            "s_dst": "matrix",
            "s_src": "matrix",
            "edge_mask": "hard mask",
            "negative_slope": "optional number",
        },
        names={"edge_mask": ("mask",), "s_dst": ("dst", "s_src"), "s_src": ("src",)},
        gathers="s_src",
    ),
    "edge_softmax": Operator(
        sg.ops.edge_softmax,
        _softmax_arguments,
        _softmax_expected,
        kinds={"g": "graph", "scores": "edge matrix", "edge_mask": "hard mask"},
        names={"edge_mask": ("mask",)},
    ),
    "spmm_topk": Operator(
        _spmm_topk,
        _spmm_topk_arguments,
        _spmm_topk_expected,
        kinds={
            "g": "graph",
            "x": "matrix",
            "k": "row count",
            "edge_weight": "vector",
            "edge_mask": "mask",
            "row_scale": "vector",
            "col_scale": "vector",
            "bias": "vector",
            "relu": "flag",
            "by": "choice",
        },
        names={"edge_weight": ("weight",), "edge_mask": ("mask",)},
        gathers="x",
    ),
    "topk_rows": Operator(
        _topk_rows,
        lambda edges: {"x": floats(6, WIDTH), "k": 2, "by": "value"},
        lambda edges, x, k, by: list(reference_topk_rows(x, k, by == "magnitude")),
        kinds={"x": "dense matrix", "k": "row count", "by": "choice"},
        differentiable=False,
    ),
    "topk_matrix": Operator(
        lambda x, count: sg.ops.topk_matrix(x, count=count).to_dense(),
        lambda edges: {"x": floats(6, WIDTH), "count": 11},
        _matrix_expected,
        kinds={"x": "dense matrix", "count": "row count"},
        names={"x": ("scores",), "count": ("exactly one",)},
        differentiable=False,
    ),
    "spgemm": Operator(
        sg.ops.spgemm,
        _spgemm_arguments,
        lambda edges, a, b: [a.to_dense().detach().double() @ b.to_dense().double()],
        kinds={"a": "sparse", "b": "sparse"},
        names={"a": ("b",)},
        differentiable=False,
    ),
    "spgemm into CSR": Operator(
        lambda a, b: sg.ops.spgemm(a, b, out="csr").to_dense(),
        _spgemm_arguments,
        lambda edges, a, b: [a.to_dense().detach().double() @ b.to_dense().double()],
        kinds={"a": "sparse", "b": "sparse"},
        names={"a": ("b",)},
        differentiable=False,
    ),
    "spmm of sparse rows": Operator(
        sg.ops.spmm,
        _rows_arguments,
        _rows_expected,
        kinds={"g": "graph", "edge_weight": "vector", "edge_mask": "mask", "row_scale": "vector"},
        names={"edge_weight": ("weight",), "edge_mask": ("mask",)},
    ),
    "gcn_hidden": Operator(
        sg.ops.gcn_hidden,
        _hidden_arguments,
        _hidden_expected,
        kinds={
            "x_rowptr": "rowptr",
            "x_col": "columns",
            "x_value": "vector",
            "x_row_scale": "vector",
            "a_rowptr": "rowptr",
            "a_col": "columns",
            "a_value": "vector",
            "w1": "panels",
            "bias": "vector",
            "w2": "batch",
        },
        names={
            "x_rowptr": ("x_col", "a_col", "x_row_scale"),
            "x_col": ("x_rowptr",),
            "a_rowptr": ("a_col",),
            "a_col": ("a_rowptr",),
        },
        differentiable=False,
    ),
    "pack_panels": Operator(
        sg.ops.pack_panels,
        lambda edges: {"weight": floats(6, 200)},
        _panels_expected,
        kinds={"weight": "panel weight"},
    ),
    "hard_concrete": Operator(
        sg.ops.hard_concrete,
        lambda edges: {"logits": floats(edges.edge_index.shape[1]), "seed": 7},
        lambda edges, logits, seed: [reference_hard_concrete(logits, seed)[0]],
        kinds={"logits": "dense", "seed": "seed"},
        names={"logits": ("values",)},
    ),
    "hard_concrete_open": Operator(
        sg.ops.hard_concrete_open,
        lambda edges: {"logits": floats(6, WIDTH), "zeta": 1.1},
        lambda edges, logits, zeta: [(logits.double() + 2 / 3 * math.log(11)).sigmoid()],
        kinds={"logits": "dense"},
        names={"logits": ("values",)},
    ),
    "dropout": Operator(
        sg.ops.dropout,
        lambda edges: {"x": floats(6, WIDTH), "p": 0.25, "seed": 7},
        _dropout_expected,
        kinds={"x": "dense", "p": "probability", "seed": "seed"},
        names={"p": ("dropout",)},
    ),
    "topk_mask per tensor": Operator(
        partial(sg.ops.topk_mask, per_tensor=True),
        _topk_arguments,
        lambda edges, scores, k: [reference_topk_mask([part], k)[0] for part in scores],
        kinds={"scores": "scores", "k": "count"},
        most=6,
        differentiable=False,
    ),
    "topk_mask": Operator(
        sg.ops.topk_mask,
        _topk_arguments,
        lambda edges, scores, k: reference_topk_mask(scores, k),
        kinds={"scores": "scores", "k": "count"},
        differentiable=False,
    ),
}
