"""Functional operators: the public face of the native kernels."""

from sparsegnn.ops import _flops as _flops  # registers them
from sparsegnn.ops import transpose as transpose  # registers it
from sparsegnn.ops.block_linear import block_linear
from sparsegnn.ops.compact_linear import compact_linear
from sparsegnn.ops.drop_and_grow import drop_and_grow_
from sparsegnn.ops.dropout import dropout
from sparsegnn.ops.edge_scores import edge_scores
from sparsegnn.ops.edge_softmax import edge_softmax
from sparsegnn.ops.gat import gat
from sparsegnn.ops.gatv2 import gatv2
from sparsegnn.ops.gcn_hidden import gcn_hidden, pack_panels
from sparsegnn.ops.grow_scores import grow_scores_topk
from sparsegnn.ops.hard_concrete import hard_concrete, hard_concrete_open
from sparsegnn.ops.linear import sparse_linear
from sparsegnn.ops.n_m import nm_mask, semi_structured
from sparsegnn.ops.random_walk import random_walk
from sparsegnn.ops.sddmm import sddmm
from sparsegnn.ops.softmax_aggregate import softmax_aggregate
from sparsegnn.ops.spgemm import spgemm
from sparsegnn.ops.spmm import spmm
from sparsegnn.ops.spmm_topk import spmm_topk
from sparsegnn.ops.topk import topk_mask
from sparsegnn.ops.topk_rows import topk_matrix, topk_rows
from sparsegnn.ops.walk_edges import TemporalEdges, WeightedEdges

__all__ = [
    "TemporalEdges",
    "WeightedEdges",
    "block_linear",
    "compact_linear",
    "drop_and_grow_",
    "dropout",
    "edge_scores",
    "edge_softmax",
    "gat",
    "gatv2",
    "gcn_hidden",
    "grow_scores_topk",
    "hard_concrete",
    "hard_concrete_open",
    "nm_mask",
    "pack_panels",
    "random_walk",
    "sddmm",
    "semi_structured",
    "softmax_aggregate",
    "sparse_linear",
    "spgemm",
    "spmm",
    "spmm_topk",
    "topk_mask",
    "topk_matrix",
    "topk_rows",
]
