"""Higher-order graph neural networks: neighbours and root, each by a map of its own."""

from __future__ import annotations

from torch import Tensor, nn

from sparsegnn.nn._errors import names_layer
from sparsegnn.nn._inputs import Ends, Features, GraphLike, Size, as_graph, both_ends
from sparsegnn.nn.activation import NOTHING, Activation
from sparsegnn.nn.aggregate import as_reduce, project_neighbours
from sparsegnn.nn.projection import Projection, project
from sparsegnn.ops._edge_values import EdgeMask


class GraphConv(nn.Module):
    """The layer of Morris et al. (arXiv 1810.02244), a drop-in for PyG's.

    `y_i = W_rel aggr_j (e_ji x_j) + b + W_root x_i`, with PyG's arguments, results and state_dict
    keys. Sums and means are taken of projected features where that is cheaper. The gradient of max
    and min goes to the first of equal messages; PyG divides it between them.

    Args:
        in_channels: Size of the input features, or of those of (sources, targets).
        out_channels: Size of the output features.
        aggr: "add", "sum", "mean", "max" or "min".
        bias: Whether to add a bias.

    Shapes:
        x `[N, in]` or `([K, in], [M, in] or None)`, dense or, without max and min, `SparseMatrix`;
        graph a `Graph`, `edge_index [2, E]`, an `EdgeIndex` or a torch CSR adjacency, whose values
        are edge weights where none are given; edge_weight `[E]`; output `[M, out]`.
    """

    def __init__(
        self,
        in_channels: int | tuple[int, int],
        out_channels: int,
        aggr: str = "add",
        bias: bool = True,
    ) -> None:
        super().__init__()
        sizes = (in_channels, in_channels) if isinstance(in_channels, int) else in_channels
        if min(*sizes, out_channels) < 1:
            raise ValueError(
                f"in_channels and out_channels must be positive, got {in_channels} and "
                f"{out_channels}."
            )
        as_reduce(aggr)
        self.in_channels, self.out_channels, self.aggr = in_channels, out_channels, aggr
        self.lin_rel = Projection(sizes[0], out_channels, bias)
        self.lin_root = Projection(sizes[1], out_channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The start of `torch.nn.Linear` for both linear maps."""
        self.lin_rel.reset_parameters()
        self.lin_root.reset_parameters()

    @names_layer
    def forward(
        self,
        x: Features | Ends,
        edge_index: GraphLike,
        edge_weight: Tensor | None = None,
        size: Size = None,
        *,
        edge_mask: EdgeMask = None,
        activation: Activation = NOTHING,
    ) -> Tensor:
        """Computes the convolution of x over the graph.

        Args:
            x: Features of the nodes, or of (sources, targets).
            edge_index: The graph.
            edge_weight: `[E]` factors of the messages.
            size: Numbers of (sources, targets), where x does not tell.
            edge_mask: `[E]`: bool or `Mask` drops edges, floating point scales messages.
            activation: ReLU and dropout of the result.
        """
        channels = self.in_channels
        sizes = (channels, channels) if isinstance(channels, int) else channels
        source, target = both_ends(x, sizes)
        graph, values = as_graph(edge_index, (source, target), size)
        weight = values if edge_weight is None else edge_weight.flatten()
        root = None if target is None else project(self.lin_root, target)
        reduce = as_reduce(self.aggr)
        given = (graph, source, weight, edge_mask, reduce, root)
        return project_neighbours(self.lin_rel, *given, activation)

    def extra_repr(self) -> str:
        """The channels, as PyG prints them."""
        return f"{self.in_channels}, {self.out_channels}"
