"""References, graph generators and tolerances that tests, benchmarks and users share."""

from sparsegnn.testing.graphs import ADVERSARIAL, adversarial_graph, power_law_graph, random_graph
from sparsegnn.testing.reference import (
    reference_sddmm,
    reference_sparse_linear,
    reference_spmm,
    reference_topk_mask,
)
from sparsegnn.testing.reference_attention import (
    reference_edge_scores,
    reference_edge_softmax,
    reference_gat,
    reference_gatv2,
)
from sparsegnn.testing.reference_dropout import reference_dropout
from sparsegnn.testing.reference_hard_concrete import reference_hard_concrete
from sparsegnn.testing.reference_linear import reference_nm_mask
from sparsegnn.testing.reference_selection import (
    reference_drop_and_grow,
    reference_grow_positions,
)
from sparsegnn.testing.reference_softmax_aggregate import reference_softmax_aggregate
from sparsegnn.testing.reference_sparse import reference_spgemm, reference_topk_rows
from sparsegnn.testing.reference_spmm_extreme import reference_spmm_extreme
from sparsegnn.testing.reference_spmm_grad import reference_spmm_grad
from sparsegnn.testing.reference_walk import (
    allowed_edges,
    check_walk,
    reference_weighted_walk,
)
from sparsegnn.testing.tolerances import TOLERANCES, assert_close

__all__ = [
    "ADVERSARIAL",
    "TOLERANCES",
    "adversarial_graph",
    "allowed_edges",
    "assert_close",
    "check_walk",
    "power_law_graph",
    "random_graph",
    "reference_drop_and_grow",
    "reference_dropout",
    "reference_edge_scores",
    "reference_edge_softmax",
    "reference_gat",
    "reference_gatv2",
    "reference_grow_positions",
    "reference_hard_concrete",
    "reference_nm_mask",
    "reference_sddmm",
    "reference_softmax_aggregate",
    "reference_sparse_linear",
    "reference_spgemm",
    "reference_spmm",
    "reference_spmm_extreme",
    "reference_spmm_grad",
    "reference_topk_mask",
    "reference_topk_rows",
    "reference_weighted_walk",
]
