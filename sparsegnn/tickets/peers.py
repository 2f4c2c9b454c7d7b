"""The programs that a ticket is compared with, holding the same weights as a `GCN` of ours."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sparsegnn.graph import Graph
from sparsegnn.nn import GCN, GCNConv
from sparsegnn.sparse_matrix import SparseMatrix


class PygGCN(nn.Module):
    """PyG's ordinary `GCNConv` layers on dense features and `edge_index`, eager.

    Args:
        model: Gives the weights.
        x: Dense features [N, F].
        edge_index: [2, E].

    Raises:
        ModuleNotFoundError: torch_geometric is not installed.
    """

    def __init__(self, model: GCN, x: Tensor, edge_index: Tensor) -> None:
        super().__init__()
        from torch_geometric.nn import GCNConv as PygConv

        self.x = x
        self.edge_index = edge_index
        self.convs = nn.ModuleList()
        for conv in layers_of(model):
            peer = PygConv(conv.in_channels, conv.out_channels, bias=conv.bias is not None)
            peer.load_state_dict(conv.state_dict())
            self.convs.append(peer)

    def forward(self) -> Tensor:
        """Logits [N, C]."""
        h = self.x
        for index, conv in enumerate(self.convs):
            h = conv(h, self.edge_index)
            if index < len(self.convs) - 1:
                h = h.relu()
        return h


class TorchCompositeGCN(nn.Module):
    """What an expert writes with plain torch: `torch.sparse` CSR features and adjacency.

    The adjacency is normalised once, every layer transforms first, weights are [in, out].

    Args:
        model: Gives the weights.
        x: Sparse features [N, F].
        graph: The graph, without added self loops.
    """

    def __init__(self, model: GCN, x: SparseMatrix, graph: Graph) -> None:
        super().__init__()
        convs = layers_of(model)
        self.x = x.to_torch()
        looped, norm = convs[0].norm(x, graph, None)
        values = torch.ones(looped.num_edges, dtype=x.dtype) if norm is None else norm
        self.adjacency = SparseMatrix(looped, values.detach()).to_torch()
        self.weights = nn.ParameterList(
            nn.Parameter(conv.lin.weight.detach().t().contiguous().clone()) for conv in convs
        )
        self.biases = nn.ParameterList(
            nn.Parameter(conv.bias.detach().clone()) for conv in convs if conv.bias is not None
        )

    def forward(self) -> Tensor:
        """Logits [N, C]."""
        h = self.x
        last = len(self.weights) - 1
        for index, weight in enumerate(self.weights):
            h = self.adjacency @ (h @ weight)
            if len(self.biases) > 0:
                h = h + self.biases[index]
            if index < last:
                h = h.relu()
        return h


def layers_of(model: GCN) -> list[GCNConv]:
    """The convolutions of a model, typed."""
    return [conv for conv in model.convs if isinstance(conv, GCNConv)]
