"""GraphSAGE."""

from __future__ import annotations

from torch import Tensor, nn

from sparsegnn.nn._errors import names_layer
from sparsegnn.nn._inputs import Ends, Features, GraphLike, Size, as_graph, both_ends
from sparsegnn.nn.activation import NOTHING, Activation
from sparsegnn.nn.aggregate import as_reduce, project_neighbours
from sparsegnn.nn.projection import Projection, project
from sparsegnn.ops._edge_values import EdgeMask


class SAGEConv(nn.Module):
    """The GraphSAGE layer of Hamilton et al. (arXiv 1706.02216), a drop-in for PyG's.

    `y_i = W_l aggr_j x_j + b + W_r x_i`, with PyG's arguments, results and state_dict keys. Sums
    and means are taken of projected features where that is cheaper. The gradient of max and min
    goes to the first of equal messages; PyG divides it between them.

    Args:
        in_channels: Size of the input features, or of those of (sources, targets).
        out_channels: Size of the output features.
        aggr: "mean", "max", "min", "sum" or "add".
        normalize: Whether to scale every row of the output to length 1.
        root_weight: Whether to add a linear map of the targets' own features.
        project: Whether to map sources by a linear layer and ReLU before aggregation.
        bias: Whether to add a bias.

    Shapes:
        x `[N, in]` or `([K, in], [M, in] or None)`, dense or, without max and min, `SparseMatrix`;
        graph a `Graph`, `edge_index [2, E]`, an `EdgeIndex` or a torch CSR adjacency, whose values
        are edge weights; output `[M, out]`.
    """

    def __init__(
        self,
        in_channels: int | tuple[int, int],
        out_channels: int,
        aggr: str = "mean",
        normalize: bool = False,
        root_weight: bool = True,
        project: bool = False,
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
        self.normalize, self.root_weight, self.project = normalize, root_weight, project
        self.lin = Projection(sizes[0], sizes[0], bias=True) if project else None
        self.lin_l = Projection(sizes[0], out_channels, bias)
        self.lin_r = Projection(sizes[1], out_channels) if root_weight else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The start of `torch.nn.Linear` for every linear map."""
        for lin in (self.lin, self.lin_l, self.lin_r):
            if lin is not None:
                lin.reset_parameters()

    @names_layer
    def forward(
        self,
        x: Features | Ends,
        edge_index: GraphLike,
        size: Size = None,
        *,
        edge_mask: EdgeMask = None,
        activation: Activation = NOTHING,
    ) -> Tensor:
        """Computes the convolution of x over the graph.

        Args:
            x: Features of the nodes, or of (sources, targets).
            edge_index: The graph.
            size: Numbers of (sources, targets), where x does not tell.
            edge_mask: `[E]`: bool or `Mask` drops edges, floating point scales messages.
            activation: ReLU and dropout of the result.
        """
        channels = self.in_channels
        sizes = (channels, channels) if isinstance(channels, int) else channels
        source, target = both_ends(x, sizes)
        graph, weight = as_graph(edge_index, (source, target), size)
        if self.lin is not None:
            source = project(self.lin, source).relu()
        root = None
        if self.lin_r is not None and target is not None:
            root = project(self.lin_r, target)
        reduce = as_reduce(self.aggr)
        given = (graph, source, weight, edge_mask, reduce, root)
        if not self.normalize:
            return project_neighbours(self.lin_l, *given, activation)
        out = project_neighbours(self.lin_l, *given)
        return activation.apply(nn.functional.normalize(out, p=2.0, dim=-1))

    def extra_repr(self) -> str:
        """The channels and the aggregation, as PyG prints them."""
        return f"{self.in_channels}, {self.out_channels}, aggr={self.aggr}"
