"""What `FlopCounterMode` counts of the operators, forward and backward."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry

import sparsegnn as sg
from sparsegnn import ops

EDGES, NODES, WIDTH, HEADS = 60, 12, 10, 2


def graph() -> sg.Graph:
    return sg.Graph.from_edge_index(torch.randint(0, NODES, (2, EDGES)), num_nodes=NODES)


def macs(run: Callable[[], object]) -> float:
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() / 2


def test_every_product_has_a_formula() -> None:
    """Selections, walks, dropout and softmax multiply nothing that torch would count."""
    names = {
        schema.name.removeprefix("sparsegnn::")
        for schema in torch._C._jit_get_all_schemas()
        if schema.name.startswith("sparsegnn::")
    }
    counted = {name for name in names if getattr(torch.ops.sparsegnn, name) in flop_registry}
    assert names - counted == {
        "cpu_isa", "cuda_compiled", "drop_and_grow_", "dropout", "dropout_grad", "edge_scores",
        "edge_softmax", "edge_softmax_grad", "edge_sum", "hard_concrete", "hard_concrete_grad",
        "random_walk", "set_cpu_isa", "spgemm_columns", "spgemm_sizes", "stream_symbol_resolved",
        "topk_mask", "topk_rows", "transpose", "walk_weights",
    }  # fmt: skip


def test_sums_over_edges() -> None:
    g, x = graph(), torch.rand(NODES, WIDTH)
    assert macs(lambda: ops.spmm(g, x)) == EDGES * WIDTH
    assert macs(lambda: ops.spmm(g, x, reduce="max")) == EDGES * WIDTH
    assert macs(lambda: ops.spmm_topk(g, x, k=3)) == EDGES * WIDTH
    assert macs(lambda: ops.sddmm(g, x, x)) == EDGES * WIDTH
    assert macs(lambda: ops.softmax_aggregate(g, x, 1.0)) == 2 * EDGES * WIDTH


def test_gradients_of_a_sum() -> None:
    g, x = graph(), torch.rand(NODES, WIDTH, requires_grad=True)
    weight = torch.rand(EDGES, requires_grad=True)
    one = EDGES * WIDTH
    assert macs(lambda: ops.spmm(g, x).sum().backward()) == 2 * one
    assert macs(lambda: ops.spmm(g, x, weight).sum().backward()) == 3 * one
    largest = macs(lambda: ops.spmm(g, x, reduce="max").sum().backward())
    assert largest == one + NODES * WIDTH


def test_attention() -> None:
    g = graph()
    x = torch.rand(NODES, HEADS, WIDTH, requires_grad=True)
    scores = torch.rand(2, NODES, HEADS, requires_grad=True)
    one, rows = EDGES * HEADS * WIDTH, NODES * HEADS * WIDTH
    assert macs(lambda: ops.gat(g, x, scores[0], scores[1])) == one
    both = macs(lambda: ops.gat(g, x, scores[0], scores[1]).sum().backward())
    assert both == 3 * one + 2 * rows
    att = torch.rand(HEADS, WIDTH, requires_grad=True)
    assert macs(lambda: ops.gatv2(g, x, x, att)) == 2 * one
    assert macs(lambda: ops.gatv2(g, x, x, att).sum().backward()) == 7 * one


def test_pruned_weights_count_what_they_keep() -> None:
    mask = torch.rand(8, WIDTH) < 0.4
    linear = sg.nn.SparseLinear(WIDTH, 8, mask=mask)
    x = torch.rand(NODES, WIDTH, requires_grad=True)
    one = NODES * int(mask.sum())
    assert macs(lambda: linear(x)) == one
    assert macs(lambda: linear(x).sum().backward()) == 3 * one


def test_blocks_count_what_they_keep() -> None:
    kept = torch.tensor([[True, False], [True, True]])
    dense = torch.rand(32, 32) * kept.repeat_interleave(16, 0).repeat_interleave(16, 1)
    weight = sg.BlockWeight.from_dense(dense, 16)
    x = torch.rand(NODES, 32, requires_grad=True)
    assert macs(lambda: ops.block_linear(x, weight)) == NODES * 3 * 256
    assert macs(lambda: ops.block_linear(x, weight).sum().backward()) == 3 * NODES * 3 * 256


def test_sparse_times_sparse_counts_what_meets() -> None:
    left, right = torch.rand(9, 7) * (torch.rand(9, 7) < 0.4), torch.rand(7, 8)
    right *= torch.rand(7, 8) < 0.4
    met = int(((left != 0).float() @ (right != 0).float()).sum())
    a, b = sg.SparseMatrix.from_dense(left), sg.SparseMatrix.from_dense(right)
    assert macs(lambda: ops.spgemm(a, b)) == met
    assert macs(lambda: ops.spgemm(a, b, out="csr")) == met
    rows = ops.topk_rows(torch.rand(NODES, WIDTH), 3)
    assert macs(lambda: ops.spmm(graph(), rows)) == EDGES * 3


def test_shapes_alone_are_enough() -> None:
    """Tensors without data, as under `torch.compile`: rows count as the mean one."""
    with FakeTensorMode(allow_non_fake_inputs=False):
        rowptr, col = torch.zeros(10, dtype=torch.int32), torch.zeros(30, dtype=torch.int32)
        x_rowptr, ids = torch.zeros(6, dtype=torch.int32), torch.zeros(20, dtype=torch.int32)
        values, nothing = torch.zeros(20), (None,) * 4
        structure = (rowptr, col, None, None, None, None)

        def product() -> Tensor:
            return torch.ops.sparsegnn.spmm_rows(*structure, x_rowptr, ids, values, 8, *nothing)

        assert macs(product) == 30 * 20 // 5


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_inference(mode: Callable[[], torch.inference_mode]) -> None:
    g, x = graph(), torch.rand(NODES, WIDTH)
    with mode():
        assert macs(lambda: ops.spmm(g, x)) == EDGES * WIDTH
