"""Drop-in layers with PyG's signatures and state_dict keys."""

from sparsegnn.nn.activation import Activation
from sparsegnn.nn.convert import convert, desparsify
from sparsegnn.nn.dropout import Dropout, dropout
from sparsegnn.nn.gat_conv import GATConv
from sparsegnn.nn.gatv2_conv import GATv2Conv
from sparsegnn.nn.gcn import GCN
from sparsegnn.nn.gcn_conv import GCNConv
from sparsegnn.nn.gcn_norm import gcn_norm
from sparsegnn.nn.gen_conv import GENConv
from sparsegnn.nn.gin_conv import GINConv
from sparsegnn.nn.graph_conv import GraphConv
from sparsegnn.nn.kept_linear import KeptLinear
from sparsegnn.nn.linear import MaskedLinear, SparseLinear
from sparsegnn.nn.max_k import MaxK
from sparsegnn.nn.sage_conv import SAGEConv
from sparsegnn.nn.unconverted import unconverted

__all__ = [
    "GCN",
    "Activation",
    "Dropout",
    "GATConv",
    "GATv2Conv",
    "GCNConv",
    "GENConv",
    "GINConv",
    "GraphConv",
    "KeptLinear",
    "MaskedLinear",
    "MaxK",
    "SAGEConv",
    "SparseLinear",
    "convert",
    "desparsify",
    "dropout",
    "gcn_norm",
    "unconverted",
]
