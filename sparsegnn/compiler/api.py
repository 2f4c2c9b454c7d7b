"""`sparsegnn.compile`."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from sparsegnn.compiler.compiled import CompiledModel
from sparsegnn.compiler.features import Features, check_features
from sparsegnn.compiler.nodes import as_indices
from sparsegnn.compiler.pipeline import Precision, Problem, compile_problem
from sparsegnn.compiler.plain import plain_copy, shared_copy
from sparsegnn.compiler.reorder import check_method
from sparsegnn.graph import Graph
from sparsegnn.mask import Mask
from sparsegnn.nn import convert
from sparsegnn.sparse_matrix import SparseMatrix


def compile(
    model: nn.Module,
    graph: Graph | Tensor,
    x: Features,
    *,
    edge_weight: Tensor | None = None,
    edge_mask: Tensor | Mask | None = None,
    nodes: Tensor | None = None,
    reorder: str | None = None,
    fixed_features: bool = False,
    tune: bool = True,
    precision: Precision = "full",
) -> CompiledModel:
    """Turns a model on one graph into the fastest program that computes the same.

    Whatever is pruned is removed, exactly: edges that `edge_mask` drops, zeros of weights (of
    masks, `torch.nn.utils.prune` and parametrisations too), and then every unit, attention head
    and input feature that can no longer influence the result. Batch norm goes into the weights.
    Every layer is then executed in the fastest of the ways that its sparsity allows: dense, on the
    channels alone that it has weights for, in blocks, in CSR, with sparse features, aggregation
    before or after the weight.

    Args:
        model: Called as `model(x, edge_index)`: a model of PyG, or a module of PyG's layers, of
            this package's, and of ordinary operations on node features. It is copied; modules that
            the compiler does not know are kept as they are.
        graph: The graph; an `edge_index` `[2, E]` too.
        x: Features `[N, F]`, dense or `SparseMatrix`; float32 or float64 like the model.
        edge_weight: `[E]`, given to the model as its `edge_weight`.
        edge_mask: bool `[E]` or `Mask`: edges to keep.
        nodes: The nodes whose results are wanted, as int64 indices in any order, also repeated, or
            as a bool mask `[N]`; None for all. Nodes and edges that cannot reach them are dropped,
            layer by layer, and degrees stay those of the pruned graph.
        reorder: "degree", "rcm" or "metis" (needs pymetis): the nodes are laid out in that order
            inside, so that neighbours lie near each other; features and results keep theirs. When
            measured, an order that is no faster is dropped, and the report says so.
        fixed_features: The result takes no other features than x. What depends on x and the graph
            alone, such as `A X` in a first layer `A X W`, may then be computed here and stored,
            sparse or dense, where that is faster.
        tune: Measure the candidate plans; else take the one that is expected to be the fastest, by
            the time that a call and an operation of each kind take on this machine.
        precision: "bf16" stores weights and features between layers in 16 bits and sums in 32, for
            a float32 model; the result is float32. It is rounded, so `report()` gives error and
            agreement. Where it is not measured to be faster the ordinary program is returned.

    Returns:
        A module `f(x=None)` with `report()`, which gives `[N, C]`, or the rows of `nodes` in their
        order: `f()[nodes]` of the whole. When measured, it is never slower than the model itself:
        it falls back to that, and the report says so and why. The result differs from the model's
        by rounding alone, which is checked.

    Raises:
        TypeError: An argument has a wrong type or dtype.
        ValueError: Shapes or devices do not fit, or x is not finite.
    """
    check_method(reorder)
    _check_precision(precision, x)
    problem = as_problem(model, graph, x, edge_weight, edge_mask, nodes)
    asked = replace(problem, reorder=reorder, fixed_features=fixed_features)
    return compile_problem(asked, tune=tune, precision=precision)


def as_problem(
    model: nn.Module,
    graph: Graph | Tensor,
    x: Features,
    edge_weight: Tensor | None,
    edge_mask: Tensor | Mask | None,
    nodes: Tensor | None = None,
) -> Problem:
    """Checks what `compile` takes, and copies the model with its layers as ours."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    if not isinstance(x, Tensor | SparseMatrix):
        raise TypeError(f"x must be a tensor or a SparseMatrix, got {type(x).__name__}")
    if len(x.shape) != 2:
        raise ValueError(f"x must have shape [N, F], got {list(x.shape)}")
    whole = _as_graph(graph, x)
    plain = plain_copy(model).eval().requires_grad_(False)
    given = shared_copy(plain)
    plain = _converted(plain)
    _check_model(plain, x, whole)
    check_features(x, (whole.num_nodes, x.shape[1]), x.dtype)
    if edge_weight is not None and edge_weight.shape != (whole.num_edges,):
        raise ValueError(
            f"edge_weight must have shape [{whole.num_edges}], got {list(edge_weight.shape)}"
        )
    pruned = whole
    if edge_mask is not None and tuple(edge_mask.shape) != (whole.num_edges,):
        raise ValueError(
            f"edge_mask must have shape [{whole.num_edges}], got {list(edge_mask.shape)}"
        )
    kept_weight = edge_weight
    if edge_mask is not None:
        pruned = whole.select(edge_mask)
        keep = edge_mask.to_bool() if isinstance(edge_mask, Mask) else edge_mask
        kept_weight = None if edge_weight is None else edge_weight[keep.to(edge_weight.device)]
    arguments = _given(edge_weight=kept_weight)
    requested = as_indices(nodes, whole)
    whole_arguments = _given(edge_weight=edge_weight)
    own = given if _kinds(given) != _kinds(plain) else None
    return Problem(plain, x, whole, pruned, arguments, whole_arguments, requested, given=own)


def _converted(model: nn.Module) -> nn.Module:
    """The layers of PyG as ours; the report lists those that stay."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return convert(model)


def _kinds(model: nn.Module) -> list[type[nn.Module]]:
    return [type(module) for module in model.modules()]


def _check_precision(precision: str, x: Features) -> None:
    if precision not in ("full", "bf16"):
        raise ValueError(f"precision must be 'full' or 'bf16', got {precision!r}")
    if precision == "bf16" and getattr(x, "dtype", None) == torch.float64:
        raise TypeError("precision must be 'full' for a float64 model, got 'bf16'")


def _given(**arguments: Tensor | None) -> dict[str, Any]:
    """Those that are not None."""
    return {name: value.detach() for name, value in arguments.items() if value is not None}


def _as_graph(graph: Graph | Tensor, x: Features) -> Graph:
    if isinstance(graph, Graph):
        return graph
    if not isinstance(graph, Tensor):
        raise TypeError(f"graph must be a Graph or an edge_index, got {type(graph).__name__}")
    if graph.layout != torch.strided:
        raise ValueError(
            "graph must be a Graph or an edge_index, got a sparse tensor: make a Graph of it, and "
            "give its values as edge_weight where the model reads them"
        )
    return Graph.from_edge_index(graph, num_nodes=x.shape[0])


def _check_model(model: nn.Module, x: Features, graph: Graph) -> None:
    for name, value in model.named_parameters():
        if value.dtype not in (torch.float32, torch.float64) or value.dtype != x.dtype:
            raise TypeError(
                f"model and x must both be float32 or float64, got {value.dtype} in {name!r} and "
                f"{x.dtype} in x"
            )
        if not value.device == x.device == graph.device:
            raise ValueError(
                f"model, x and graph must be on one device, got {value.device}, {x.device} and "
                f"{graph.device}"
            )
        if not bool(torch.isfinite(value).all()):
            raise ValueError(f"weights must be finite, {name!r} has NaN or infinity")
