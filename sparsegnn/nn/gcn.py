"""A stack of graph convolutions."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from sparsegnn.nn._inputs import Features, GraphLike
from sparsegnn.nn.activation import Activation
from sparsegnn.nn.dropout import dropout
from sparsegnn.nn.gcn_conv import GCNConv


class GCN(nn.Module):
    """A stack of `GCNConv` with ReLU and dropout between them; keys `convs.0...`, as PyG's GCN.

    Args:
        in_channels: Size of the input features.
        hidden_channels: Size of the hidden features.
        num_layers: Number of convolutions, at least 1.
        out_channels: Size of the output.
        dropout: Probability of dropping a hidden unit in training.
        bias: Whether the convolutions have biases.

    Shapes:
        x `[N, in_channels]` dense or `SparseMatrix`; output `[N, out_channels]`.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        num_layers: int,
        out_channels: int,
        dropout: float = 0.0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_layers < 1:
            raise ValueError(f"num_layers must be at least 1, got {num_layers}.")
        if not 0.0 <= dropout < 1.0:
            raise ValueError(f"dropout must lie in [0, 1), got {dropout}.")
        sizes = [in_channels, *[hidden_channels] * (num_layers - 1), out_channels]
        self.dropout = dropout
        self.convs = nn.ModuleList(
            GCNConv(size, following, bias=bias) for size, following in pairwise(sizes)
        )

    def reset_parameters(self) -> None:
        """Resets every convolution."""
        for conv in self.convs:
            assert isinstance(conv, GCNConv)
            conv.reset_parameters()

    def forward(
        self, x: Features, edge_index: GraphLike, edge_weight: Tensor | None = None
    ) -> Tensor:
        """Class scores of every node; the norm is computed once for all layers."""
        first, *rest = self.convs
        assert isinstance(first, GCNConv)
        graph, norm = first.norm(x, edge_index, edge_weight)
        hidden = first.propagate(x, graph, norm, Activation(relu=bool(rest)))
        for position, conv in enumerate(rest, start=2):
            assert isinstance(conv, GCNConv)
            hidden = dropout(hidden, self.dropout, self.training)
            hidden = conv.propagate(hidden, graph, norm, Activation(relu=position <= len(rest)))
        return hidden
