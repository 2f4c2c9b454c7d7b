"""Pruned graphs and pruned weights that actually run faster.

`Graph`, `SparseMatrix`, `SparseRows` and `Mask` hold structure; `SparseWeight`, `BlockWeight` and
`CompactWeight` hold pruned weights; `ops` are the functional operators; `nn` are drop-in layers;
`pruning` finds tickets; `tickets` stores them; `compile` makes what is pruned run fast.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from sparsegnn import ops
from sparsegnn.block_weight import BlockWeight
from sparsegnn.compact_weight import CompactWeight
from sparsegnn.graph import Graph
from sparsegnn.mask import Mask
from sparsegnn.memory import keep_freed_memory
from sparsegnn.sparse_matrix import SparseMatrix
from sparsegnn.sparse_rows import SparseRows
from sparsegnn.sparse_weight import SparseWeight

if TYPE_CHECKING:
    from sparsegnn import (
        analysis,
        compiler,
        data,
        nn,
        profiling,
        pruning,
        testing,
        tickets,
        training,
    )
    from sparsegnn.compiler import compile
    from sparsegnn.compiler.model_macs import macs
    from sparsegnn.tickets import Ticket

try:
    __version__ = version("sparsegnn")
except PackageNotFoundError:
    __version__ = "0+unknown"

_SUBMODULES = {
    "analysis", "compiler", "data", "nn", "profiling", "pruning", "testing", "tickets", "training",
}  # fmt: skip

__all__ = [
    "BlockWeight",
    "CompactWeight",
    "Graph",
    "Mask",
    "SparseMatrix",
    "SparseRows",
    "SparseWeight",
    "Ticket",
    "analysis",
    "compile",
    "compiler",
    "data",
    "keep_freed_memory",
    "macs",
    "nn",
    "ops",
    "profiling",
    "pruning",
    "testing",
    "tickets",
    "training",
]


def __getattr__(name: str) -> Any:
    """Loads a submodule on first use, so that `import sparsegnn` stays light."""
    if name in _SUBMODULES:
        return import_module(f"sparsegnn.{name}")
    if name == "compile":
        return import_module("sparsegnn.compiler").compile
    if name == "macs":
        return import_module("sparsegnn.compiler.model_macs").macs
    if name == "Ticket":
        return import_module("sparsegnn.tickets").Ticket
    raise AttributeError(f"module 'sparsegnn' has no attribute {name!r}")
