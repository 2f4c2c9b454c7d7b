"""`sweep_operators` for structured weights, attention, mask updates and walks."""

from typing import Any

import torch
from sweep_operators import WIDTH, Arguments, Operator, bools, floats

import sparsegnn as sg
from sparsegnn.ops import TemporalEdges, WeightedEdges
from sparsegnn.testing import (
    check_walk,
    random_graph,
    reference_drop_and_grow,
    reference_gat,
    reference_gatv2,
    reference_grow_positions,
    reference_nm_mask,
    reference_softmax_aggregate,
)
from sparsegnn.testing.graphs import EdgeList

BLOCK = 16
SQUARE = random_graph(9, 9, 30, seed=3)


def _block_arguments(edges: EdgeList) -> Arguments:
    distinct = torch.unique(edges.edge_index, dim=1)
    pattern = sg.Graph.from_edge_index(distinct, num_src=edges.num_src, num_dst=edges.num_dst)
    return {
        "x": floats(4, edges.num_src * BLOCK),
        "weight": sg.BlockWeight(pattern, floats(distinct.shape[1], BLOCK, BLOCK, seed=1)),
        "bias": floats(edges.num_dst * BLOCK, seed=2),
    }


def _block_expected(edges: EdgeList, x: Any, weight: Any, bias: Any) -> list[Any]:
    """Block by block: a number beside an absent block has no influence, NaN included."""
    distinct = torch.unique(edges.edge_index, dim=1)
    blocks = floats(distinct.shape[1], BLOCK, BLOCK, seed=1).double()
    y = bias.double().repeat(x.shape[0], 1)
    for (source, target), block in zip(distinct.t().tolist(), blocks, strict=True):
        part = x[:, source * BLOCK : (source + 1) * BLOCK].double() @ block.t()
        y[:, target * BLOCK : (target + 1) * BLOCK] += part
    return [y]


def _compact_arguments(edges: EdgeList) -> Arguments:
    dense = torch.zeros(edges.num_dst, edges.num_src)
    dense[edges.edge_index[1], edges.edge_index[0]] = 1.0
    return {
        "x": floats(4, edges.num_src),
        "weight": sg.CompactWeight.from_dense(dense * floats(*dense.shape, seed=1), dense > 0),
        "bias": floats(edges.num_dst, seed=2),
    }


def _compact_expected(edges: EdgeList, x: Any, weight: Any, bias: Any) -> list[Any]:
    """Only kept columns are read."""
    made = _compact_arguments(edges)["weight"]
    y = bias.double().repeat(x.shape[0], 1)
    y[:, made.rows] += x[:, made.cols].double() @ made.values.detach().double().t()
    return [y]


def _gat_arguments(edges: EdgeList) -> Arguments:
    count = edges.edge_index.shape[1]
    return {
        "g": edges.graph(),
        "x": floats(edges.num_src, 2, WIDTH),
        "s_dst": floats(edges.num_dst, 2, seed=1),
        "s_src": floats(edges.num_src, 2, seed=2),
        "edge_mask": bools(count),
        "edge_score": floats(count, 2, seed=3),
        "negative_slope": 0.2,
        "dropout": 0.0,
    }


def _gat_expected(edges: EdgeList, g: Any, dropout: float, **rest: Any) -> list[Any]:
    return [reference_gat(edges.edge_index, **rest)]


def _gatv2_arguments(edges: EdgeList) -> Arguments:
    return {
        "g": edges.graph(),
        "x": floats(edges.num_src, 2, WIDTH),
        "x_dst": floats(edges.num_dst, 2, WIDTH, seed=1),
        "att": floats(2, WIDTH, seed=2),
        "edge_mask": bools(edges.edge_index.shape[1]),
        "negative_slope": 0.2,
        "dropout": 0.0,
    }


def _gatv2_expected(edges: EdgeList, g: Any, dropout: float, **rest: Any) -> list[Any]:
    return [reference_gatv2(edges.edge_index, **rest)]


def _softmax_arguments(edges: EdgeList) -> Arguments:
    return {
        "g": edges.graph(),
        "x": floats(edges.num_src, WIDTH),
        "t": floats(WIDTH, seed=1),
        "edge_mask": bools(edges.edge_index.shape[1]),
        "eps": 0.1,
    }


def _softmax_expected(edges: EdgeList, g: Any, x: Any, t: Any, **rest: Any) -> list[Any]:
    return [reference_softmax_aggregate(edges.edge_index, edges.num_dst, x, t, **rest)]


def _update_arguments(edges: EdgeList) -> Arguments:
    mask = bools(24).view(4, 6)
    return {
        "mask": mask,
        "weight": floats(4, 6) * mask,
        "state": [floats(4, 6, seed=1), floats(4, 6, seed=2)],
        "grow_score": floats(4, 6, seed=3),
        "k": 3,
        "drop_score": floats(4, 6, seed=4),
        "init": floats(4, 6, seed=5),
        "magnitude": False,
        "regrow": True,
    }


def _update(**arguments: Any) -> list[torch.Tensor]:
    sg.ops.drop_and_grow_(**arguments)
    return [arguments["mask"], arguments["weight"], *arguments["state"]]


def _update_expected(edges: EdgeList, **arguments: Any) -> list[Any]:
    mask, weight, state = reference_drop_and_grow(**arguments)
    return [mask, weight, *state]


def _grow_arguments(edges: EdgeList) -> Arguments:
    return {
        "x": floats(5, 6),
        "dy": floats(5, 4, seed=1),
        "active_mask": bools(24).view(4, 6),
        "k": 3,
    }


def _grow_expected(edges: EdgeList, x: Any, dy: Any, active_mask: Any, k: int) -> list[Any]:
    return [reference_grow_positions((dy.double().t() @ x.double()).abs(), active_mask, k)]


def _walk_arguments(edges: EdgeList) -> Arguments:
    return {
        "g": SQUARE.graph(),
        "start": torch.arange(9).repeat(2),
        "length": 4,
        "seed": 5,
        "edge_time": floats(30),
        "start_time": floats(18, seed=1),
        "strict": False,
        "weight": floats(30, seed=2).abs(),
    }


def _walk(**arguments: Any) -> Any:
    return sg.ops.random_walk(**arguments, return_edges=True)


def _sorted_edges(g: Any, edge_time: Any, weight: Any) -> list[torch.Tensor]:
    return [TemporalEdges.sort(g, edge_time, weight).edge_id.long()]


def _sorted_expected(edges: EdgeList, g: Any, edge_time: Any, weight: Any) -> list[Any]:
    source, time = SQUARE.edge_index[0].tolist(), edge_time.tolist()
    return [torch.tensor(sorted(range(30), key=lambda edge: (source[edge], time[edge])))]


def _summed_weights(g: Any, weight: Any) -> list[torch.Tensor]:
    rowptr, _, _, sums = WeightedEdges.sum(g, weight)
    return [torch.cat([sums, sums.new_zeros(1)])[rowptr[:-1].long()] * (rowptr.diff() > 0)]


def _summed_expected(edges: EdgeList, g: Any, weight: Any) -> list[Any]:
    return [torch.zeros(9).double().index_add_(0, SQUARE.edge_index[0], weight.double())]


def checks_walks() -> None:
    """The walks of the valid call follow allowed edges."""
    arguments = _walk_arguments(SQUARE)
    nodes, taken = _walk(**arguments)
    for walk, edges, begin in zip(nodes, taken, arguments["start_time"], strict=True):
        check_walk(SQUARE.edge_index, walk, edges, arguments["edge_time"], float(begin))


STRUCTURED = {
    "block_linear": Operator(
        sg.ops.block_linear,
        _block_arguments,
        _block_expected,
        kinds={"x": "batch", "weight": "graph", "bias": "vector"},
    ),
    "compact_linear": Operator(
        sg.ops.compact_linear,
        _compact_arguments,
        _compact_expected,
        kinds={"x": "batch", "weight": "graph", "bias": "vector"},
    ),
    "gat": Operator(
        sg.ops.gat,
        _gat_arguments,
        _gat_expected,
        kinds={
            "g": "graph",
            "x": "heads",
            "s_dst": "matrix",
            "s_src": "matrix",
            "edge_mask": "hard mask",
            "edge_score": "optional matrix",
            "negative_slope": "optional number",
            "dropout": "probability",
        },
        names={"edge_mask": ("mask",), "x": ("s_dst", "s_src")},
        gathers="x",
    ),
    "gatv2": Operator(
        sg.ops.gatv2,
        _gatv2_arguments,
        _gatv2_expected,
        kinds={
            "g": "graph",
            "x": "heads",
            "x_dst": "heads",
            "att": "matrix",
            "edge_mask": "hard mask",
            "negative_slope": "optional number",
            "dropout": "probability",
        },
        names={"edge_mask": ("mask",), "x": ("x_dst", "att"), "x_dst": ("x",)},
        gathers="x",
    ),
    "softmax_aggregate": Operator(
        sg.ops.softmax_aggregate,
        _softmax_arguments,
        _softmax_expected,
        kinds={
            "g": "graph",
            "x": "matrix",
            "t": "temperature",
            "edge_mask": "hard mask",
            "eps": "optional number",
        },
        names={"edge_mask": ("mask",), "x": ("t",)},
        gathers="x",
    ),
    "nm_mask": Operator(
        sg.ops.nm_mask,
        lambda edges: {"weight": floats(6, 8), "n": 2, "m": 4},
        lambda edges, weight, n, m: [reference_nm_mask(weight, n, m)],
        kinds={"weight": "dense matrix", "n": "group count", "m": "group count"},
        differentiable=False,
    ),
    "semi_structured": Operator(
        sg.ops.semi_structured,
        lambda edges: {"weight": floats(8, 8)},
        lambda edges, weight: [],
        kinds={"weight": "weight elsewhere"},
        differentiable=False,
    ),
    "drop_and_grow_": Operator(
        _update,
        _update_arguments,
        _update_expected,
        kinds={
            "mask": "active",
            "weight": "in place",
            "state": "state",
            "grow_score": "rank",
            "k": "exchanges",
            "drop_score": "rank",
            "init": "rank",
            "magnitude": "flag",
            "regrow": "flag",
        },
        names={"weight": ("mask", "drop_score")},
        differentiable=False,
    ),
    "grow_scores_topk": Operator(
        sg.ops.grow_scores_topk,
        _grow_arguments,
        _grow_expected,
        kinds={"x": "samples", "dy": "samples", "active_mask": "active", "k": "exchanges"},
        names={"x": ("dy", "active_mask"), "dy": ("active_mask",)},
        differentiable=False,
    ),
    "random_walk": Operator(
        _walk,
        _walk_arguments,
        lambda edges, **arguments: list(_walk(**arguments)),
        kinds={
            "g": "square graph",
            "start": "nodes",
            "length": "length",
            "seed": "walk seed",
            "edge_time": "times",
            "start_time": "times",
            "strict": "flag",
            "weight": "weights",
        },
        names={"edge_time": ("start_time",)},
        differentiable=False,
    ),
    "TemporalEdges": Operator(
        _sorted_edges,
        lambda edges: {
            "g": SQUARE.graph(),
            "edge_time": floats(30),
            "weight": floats(30, seed=2).abs(),
        },
        _sorted_expected,
        kinds={"g": "square graph", "edge_time": "times", "weight": "weights"},
        differentiable=False,
    ),
    "WeightedEdges": Operator(
        _summed_weights,
        lambda edges: {"g": SQUARE.graph(), "weight": floats(30).abs()},
        _summed_expected,
        kinds={"g": "square graph", "weight": "weights"},
        differentiable=False,
    ),
}
