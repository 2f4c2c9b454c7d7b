"""`sparsegnn.macs`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from torch import Tensor, nn

from sparsegnn.compiler.api import as_problem
from sparsegnn.compiler.capture import capture
from sparsegnn.compiler.errors import Unsupported
from sparsegnn.compiler.features import Features
from sparsegnn.compiler.macs import (
    NOTHING,
    Convention,
    MacCount,
    Setting,
    column_entries,
    layer_macs,
    undirected_links,
    weight_density,
)
from sparsegnn.compiler.row_ops import Opaque
from sparsegnn.graph import Graph
from sparsegnn.mask import Mask

if TYPE_CHECKING:
    from sparsegnn._json import Json


@dataclass(frozen=True)
class MacTable:
    """Multiply-accumulates of one forward pass, layer by layer.

    Attributes:
        layers: Counts by the path of the module; "" for what the model's own forward method does.
        total: Their sum.
        uncounted: Modules and functions that are not looked into, and count as nothing.
    """

    layers: dict[str, MacCount]
    total: MacCount
    uncounted: tuple[str, ...]

    def to_json(self) -> dict[str, Json]:
        """The table as JSON values."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        """A line per layer, in millions."""
        names = [field.name.replace("_", " ") for field in dataclasses.fields(MacCount)]
        lines = [f"{'M MACs':<24}" + "".join(f"{name:>26}" for name in names)]
        for path, count in [*self.layers.items(), ("total", self.total)]:
            cells = (f"{value / 1e6:26.3f}" for value in dataclasses.astuple(count))
            lines.append(f"{path:<24}" + "".join(cells))
        if self.uncounted:
            lines.append(f"not counted: {', '.join(self.uncounted)}")
        return "\n".join(lines)


def macs(
    model: nn.Module,
    graph: Graph | Tensor,
    x: Features,
    *,
    edge_weight: Tensor | None = None,
    edge_mask: Tensor | Mask | None = None,
    convention: Convention = "ugs",
    skip_zeros: bool = False,
) -> MacTable:
    """Counts the multiply-accumulates of a model as it stands, on three bases.

    * `papers`: dense features, no self loops, the shares of kept edges and weights as factors.
      Aggregation is at the input width of a layer, as a published convention counts it: "ugs" (Chen
      et al., arXiv 2102.06790) once per undirected link in every layer, "gebt" (You et al., arXiv
      2103.00794) in both directions of every link, in the first layer alone.
    * `executed_dense_features`: what the model executes, PyG's layers as ours, dense features.
    * `executed`: the same with features as x stores them.

    The last two agree with `torch.utils.flop_counter.FlopCounterMode`, which counts two operations
    for each; two terms differ. A node's own term of GIN is elementwise where eps is trained or an
    edge mask is given; the scores of GAT over sparse features are counted from `x W^T` and taken
    from `W^T a`. Zeros in weights are executed like any other number, unless they are to be
    skipped: what a program without them executes is in `sparsegnn.compile(...).report()`.

    Args:
        model: As for `sparsegnn.compile`.
        graph: The graph with all edges; an `edge_index` `[2, E]` too.
        x: Features `[N, F]`, dense or `SparseMatrix`.
        edge_weight: `[E]`.
        edge_mask: bool `[E]` or `Mask`: edges that are kept.
        convention: Of the first basis.
        skip_zeros: Leave out products with zero weights, on the last two bases.

    Raises:
        TypeError: An argument has a wrong type or dtype.
        ValueError: Shapes do not fit, or the forward pass cannot be followed.
    """
    if convention not in get_args(Convention):
        raise ValueError(f"convention must be 'ugs' or 'gebt', got {convention!r}")
    problem = as_problem(model, graph, x, edge_weight, edge_mask)
    try:
        network = capture(
            problem.model, problem.pruned, x.shape[1], problem.arguments, problem.dtype
        )
    except Unsupported as reason:
        raise ValueError(f"model must be one that can be followed, but {reason}") from None
    edges = problem.whole.num_edges
    setting = Setting(
        problem.whole.num_nodes,
        undirected_links(problem.whole),
        None if isinstance(x, Tensor) else x.nnz,
        edge_density=problem.pruned.num_edges / edges if edges else 1.0,
        weight_density=weight_density(network),
        convention=convention,
        skip_zeros=skip_zeros,
        entries_per_column=column_entries(x),
    )
    layers = layer_macs(network, setting)
    opaque = (op.where for op in network.operations.values() if isinstance(op, Opaque))
    uncounted = dict.fromkeys(path for path in opaque if path not in layers)
    return MacTable(layers, sum(layers.values(), NOTHING), tuple(uncounted))
