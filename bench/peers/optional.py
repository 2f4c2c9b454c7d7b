"""Peers that few machines have: torch-sparse, torch-scatter and DGL, used when asked for.

`make bench PEERS=all` asks for them. One that cannot be imported is left out with one sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from torch import Tensor

from bench.inputs import EdgeList

Run = Callable[[], Tensor]
PACKAGES = ("torch_sparse", "torch_scatter", "dgl")
_found: dict[str, Any] = {}


def enable() -> list[str]:
    """Imports what there is; returns one sentence for each package that is missing."""
    missing = []
    for name in PACKAGES:
        try:
            _found[name] = import_module(name)
        except Exception as error:  # an abandoned package can fail in any way under a new torch
            reason = (str(error) or type(error).__name__).splitlines()[0]
            missing.append(f"{name} is left out: it cannot be imported ({reason}).")
    return missing


def weighted_sums(edges: EdgeList, x: Tensor) -> dict[str, Run]:
    """The weighted sum of source rows by every optional package that was enabled."""
    makers = {
        "torch_sparse": _torch_sparse,
        "torch_scatter": _torch_scatter,
        "dgl": _dgl,
    }
    return {name: makers[name](module, edges, x) for name, module in _found.items()}


def _torch_sparse(module: Any, edges: EdgeList, x: Tensor) -> Run:
    source, target = edges.edge_index
    sizes = (edges.num_nodes, edges.num_nodes)
    matrix = module.SparseTensor(row=target, col=source, value=edges.weight, sparse_sizes=sizes)
    return lambda: matrix.matmul(x)


def _torch_scatter(module: Any, edges: EdgeList, x: Tensor) -> Run:
    source, target = edges.edge_index
    weight, size = edges.weight.unsqueeze(1), edges.num_nodes
    return lambda: module.scatter(x[source] * weight, target, dim=0, dim_size=size, reduce="sum")


def _dgl(module: Any, edges: EdgeList, x: Tensor) -> Run:
    source, target = edges.edge_index
    graph = module.graph((source, target), num_nodes=edges.num_nodes)
    return lambda: module.ops.u_mul_e_sum(graph, x, edges.weight.unsqueeze(1))
