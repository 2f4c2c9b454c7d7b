"""Drop-in layers with PyG's signatures and state_dict keys."""

from sparsegnn.nn.dropout import dropout
from sparsegnn.nn.gat_conv import GATConv
from sparsegnn.nn.gcn import GCN
from sparsegnn.nn.gcn_conv import GCNConv
from sparsegnn.nn.gcn_norm import gcn_norm

__all__ = ["GCN", "GATConv", "GCNConv", "dropout", "gcn_norm"]
