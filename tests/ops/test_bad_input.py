"""Wrong arguments of every operator, one typed sentence each, run in one subprocess per operator.

A subprocess, so that a crash is seen as a crash.
"""

import json
import subprocess
import sys

import pytest

SETUP = """
import json, torch, sparsegnn as sg
g = sg.Graph.from_edge_index(torch.tensor([[0, 1, 2, 2], [1, 1, 0, 2]]), 3)
x, w, keep = torch.randn(3, 4), torch.rand(4), torch.ones(4, dtype=torch.bool)
X = torch.randn(3, 4, 2)
W = sg.SparseWeight.from_dense(torch.eye(5, 4))
B = sg.BlockWeight.from_dense(torch.ones(32, 16), 16)
xb = torch.randn(3, 16)
ops, csr = sg.ops, g.csr
def attempt(call):
    try:
        call()
    except Exception as error:
        return type(error).__name__, str(error)
    return "none", ""
"""

CASES = {
    "layers": {
        "sg.nn.GCNConv(4, 2)(x[:, :3], g)": "GCNConv(4, 2): x must have shape [N, 4], got [3, 3]",
        "sg.nn.GCNConv(4, 2)((x, x), g)": "GCNConv(4, 2): x must be a tensor or a SparseMatrix",
        "sg.nn.GCNConv(4, 2)(x, g, torch.rand(5))": "edge_weight must have shape [4], got [5]",
        "sg.nn.SAGEConv(4, 2)(x[:2], g)": "x must have one row per node of the graph, 3, got 2",
        "sg.nn.SAGEConv(4, 2)(x, torch.tensor([[0], [7]]))": "must lie in [0, 3)",
        "sg.nn.SAGEConv(4, 2)(x, torch.rand(2, 3))": "edge_index must have an integer dtype",
        "sg.nn.GraphConv(4, 2)(x, g, edge_mask=keep[:3])": "edge_mask must have shape [4], got [3]",
        "sg.nn.GraphConv(4, 2)(x, g, size=(3, 4))": "size must fit x, (3, 3), got (3, 4)",
        "sg.nn.GATConv(4, 2)(X, g)": "GATConv(4, 2, heads=1): x must have shape",
        "sg.nn.GATv2Conv(4, 2)((x, None), g)": "x must hold features of the targets, got None",
        "sg.nn.GINConv(torch.nn.Sequential(torch.nn.Linear(4, 2)))(x[:, :3], g)": "x must have",
        "sg.nn.GENConv(4, 2)(x, g, torch.rand(4, 3))": "edge_attr must have shape [4, 2], got",
        "sg.nn.GENConv(4, 2)(x, g, edge_mask=w)": "edge_mask must be bool or a Mask",
        "sg.nn.convert(g)": "model must be a torch.nn.Module, got Graph",
    },
    "spmm": {
        "ops.spmm(g, torch.randn(4, 4))": "x must have one row per source node",
        "ops.spmm(g, torch.randn(3))": "x must have 2 dimensions",
        "ops.spmm(g, torch.randn(3, 4, 1))": "x must have 2 dimensions",
        "ops.spmm(g, torch.ones(3, 4, dtype=torch.int64))": "x must be float32",
        "ops.spmm(g, torch.ones(3, 4, dtype=torch.complex64))": "x must be float32",
        "ops.spmm(g, x, torch.rand(5))": "weight must have shape [4], got [5]",
        "ops.spmm(g, x, torch.rand(4, 1))": "weight must have shape [4], got [4, 1]",
        "ops.spmm(g, x, w.to('meta'))": "must be on the device of the graph",
        "ops.spmm(g, x, None, torch.rand(3))": "mask must have shape [4], got [3]",
        "ops.spmm(g, x, None, torch.ones(3, dtype=torch.bool))": "edge_mask must have shape [4]",
        "ops.spmm(g, x, None, torch.ones(4, dtype=torch.int64))": "edge_mask must be bool",
        "ops.spmm(g, x, None, sg.Mask.ones(9))": "edge_mask must have shape [4], got [9]",
        "ops.spmm(g, x, reduce='median')": "'sum', 'mean', 'max' or 'min', got 'median'",
        "ops.spmm(g, x, row_scale=torch.rand(4))": "row_scale must have shape [3], got [4]",
        "ops.spmm(g, x, col_scale=torch.rand(4))": "col_scale must have shape [3], got [4]",
        "ops.spmm(g, x, bias=torch.rand(3))": "bias must have shape [4], got [3]",
        "torch.ops.sparsegnn.spmm(csr.rowptr.long(), csr.col, None, csr.t_rowptr, csr.t_col, None,"
        " x, None, None, None, None, None, None, False, False)": "col must have dtype",
        "torch.ops.sparsegnn.spmm(csr.rowptr[:-1], csr.col, None, csr.t_rowptr, csr.t_col, None,"
        " x, None, None, None, None, None, None, False, False)": "rowptr must end with",
        "torch.ops.sparsegnn.spmm(csr.rowptr[:0], csr.col, None, csr.t_rowptr, csr.t_col, None,"
        " x, None, None, None, None, None, None, False, False)": "rowptr must have shape",
        "torch.ops.sparsegnn.spmm(csr.rowptr.float(), csr.col, None, csr.t_rowptr, csr.t_col,"
        " None, x, None, None, None, None, None, None, False, False)": "rowptr must have dtype",
        "torch.ops.sparsegnn.spmm(*csr, x, w.double(), None, None, None, None, None, False,"
        " False)": "weight must have dtype Float, got Double",
        "torch.ops.sparsegnn.spmm(*csr, x, torch.rand(8)[::2], None, None, None, None, None,"
        " False, False)": "weight must be contiguous",
        "torch.ops.sparsegnn.spmm(*csr, x, None, None, torch.zeros(2, dtype=torch.uint8), None,"
        " None, None, False, False)": "bits must have shape [1], got [2]",
        "torch.ops.sparsegnn.spmm(*csr, x, None, None, torch.zeros(1), None, None, None, False,"
        " False)": "bits must have dtype Byte",
    },
    "spmm epilogue": {
        "ops.spmm(g, x, residual=torch.rand(3, 5))": "residual must have shape [3, 4], got [3, 5]",
        "ops.spmm(g, x, residual=torch.rand(4))": "residual must have shape [3, 4], got [4]",
        "ops.spmm(g, x, residual=x.double())": "residual must have dtype Float, got Double",
        "ops.spmm(g, x, residual=x.to('meta'))": "must be on the device of the graph",
        "ops.spmm(g, x.requires_grad_(), relu=True, residual=x.half())": "residual must have",
        "ops.spmm(g, x, dropout=1.5)": "dropout must lie in [0, 1], got 1.5",
        "ops.spmm(g, x, dropout=float('nan'))": "dropout must lie in [0, 1], got nan",
        "ops.spmm(g, x, dropout=0.5, seed=2**63)": "seed must fit in 64 bits, got",
        "ops.spmm(g, x, dropout=0.5, seed=torch.tensor(3))": "seed must have shape [1], got []",
        "ops.spmm(g, x, dropout=0.5, seed=torch.tensor([3.0]))": "seed must have dtype Long",
        "ops.spmm(g, x, out_dtype=torch.float64)": "out_dtype must be float64 exactly when x is",
        "ops.spmm(g, x.double(), out_dtype=torch.float32)": "out_dtype must be float64 exactly",
        "ops.spmm(g, x, out_dtype=torch.int32)": "out_dtype must be float32, float64, float16",
        "torch.ops.sparsegnn.spmm(*csr, x, None, None, None, None, None, None, False, False, None,"
        " 0.5)": "seed must be an int64 tensor of shape [1], got none",
    },
    "dropout": {
        "ops.dropout(x, -0.1)": "dropout must lie in [0, 1], got -0.1",
        "ops.dropout(x.long(), 0.1)": "x must be float32",
        "ops.dropout(x, 0.1, torch.tensor([1, 2]))": "seed must have shape [1], got [2]",
        "ops.dropout(x, 0.1, bias=torch.rand(3))": "bias must have shape [4], got [3]",
        "ops.dropout(x, 0.1, bias=torch.ones(4).long())": "bias must be float32",
        "ops.dropout(torch.tensor(1.0), 0.1, bias=torch.rand(1))": "x must have a dimension for",
        "torch.ops.sparsegnn.dropout(x, 0.5, None)": "seed must be an int64 tensor of shape [1]",
        "torch.ops.sparsegnn.dropout_grad(x, x[:2], 0.5)": "y must have the shape of grad",
        "torch.ops.sparsegnn.dropout_grad(x, x.double(), 0.5)": "y must have dtype Float",
        "torch.ops.sparsegnn.dropout_grad(x, x, 1.5)": "dropout must lie in [0, 1], got 1.5",
    },
    "spmm_grad": {
        f"torch.ops.sparsegnn.spmm_grad(*csr, {call})": message
        for call, message in {
            "torch.randn(4, 4), x, None, None, None, None, None": "grad must have shape [3, 4]",
            "torch.randn(3), x, None, None, None, None, None": "grad must have 2 dimensions",
            "x.double(), x, None, None, None, None, None": "grad must have dtype Float",
            "x, torch.randn(4, 4), None, None, None, None, None": "x must have one row per source",
            "x.long(), x.long(), None, None, None, None, None": "x must be float32",
            "x, x, torch.rand(5), None, None, None, None": "weight must have shape [4], got [5]",
            "x, x, None, torch.rand(3), None, None, None": "mask must have shape [4], got [3]",
            "x, x, None, None, torch.zeros(1), None, None": "bits must have dtype Byte",
            "x, x, None, None, None, torch.rand(4), None": "row_scale must have shape [3], got [4]",
            "x, x, None, None, None, None, w.double()": "col_scale must have shape [3], got [4]",
        }.items()
    },
    "sddmm": {
        "ops.sddmm(g, torch.randn(4, 4), x)": "a must have one row per target node",
        "ops.sddmm(g, x, torch.randn(3, 5))": "b must have shape [3, 4], got [3, 5]",
        "ops.sddmm(g, x, torch.randn(2, 4))": "b must have shape [3, 4], got [2, 4]",
        "ops.sddmm(g, x[0], x)": "a must have 2 dimensions",
        "ops.sddmm(g, x, x[0])": "b must have 2 dimensions",
        "ops.sddmm(g, x, x.double())": "b must have dtype Float, got Double",
        "ops.sddmm(g, x.long(), x.long())": "a must be float32",
        "ops.sddmm(g, x, x, torch.rand(5))": "coef must have shape [4], got [5]",
        "ops.sddmm(g, x, x, torch.ones(5, dtype=torch.bool))": "edge_mask must have shape [4]",
    },
    "gat": {
        "ops.gat(g, X[:2], x, x)": "x must have shape [3, 4, 2], got [2, 4, 2]",
        "ops.gat(g, x, x, x)": "x must have 3 dimensions",
        "ops.gat(g, X.long(), x, x)": "x must be float32",
        "ops.gat(g, X, x[:, :2], x)": "s_dst must have shape [3, 4], got [3, 2]",
        "ops.gat(g, X, x, x[:2])": "s_src must have shape [3, 4], got [2, 4]",
        "ops.gat(g, X, x, x, edge_score=x)": "edge_score must have shape [4, 4], got [3, 4]",
        "ops.gat(g, X, x, x, keep[:3])": "edge_mask must have shape [4], got [3]",
        "ops.gat(g, X, x, x, w)": "edge_mask must be bool or a Mask",
        "ops.gat(g, X, x, x, dropout=1.5)": "dropout must lie in [0, 1], got 1.5",
        "ops.gat(g, X, x, x, dropout=0.5, seed=torch.rand(1))": "seed must have dtype Long",
        "ops.gat(g, X, x, x, dropout=0.5, seed=2**70)": "seed must fit in 64 bits",
        "ops.gat(g, X.to('meta'), x, x)": "must be on the device of the graph",
    },
    "gatv2": {
        "ops.gatv2(g, X[:2], X, X[0])": "x must have shape [3, 4, 2], got [2, 4, 2]",
        "ops.gatv2(g, x, X, X[0])": "x must have 3 dimensions",
        "ops.gatv2(g, X.long(), X, X[0])": "x must be float32",
        "ops.gatv2(g, X, X[:2], X[0])": "x_dst must have shape [3, 4, 2], got [2, 4, 2]",
        "ops.gatv2(g, X, X.double(), X[0])": "x_dst must have dtype Float, got Double",
        "ops.gatv2(g, X, X, X)": "att must have shape [4, 2], got [3, 4, 2]",
        "ops.gatv2(g, X, X, X[0], keep[:3])": "edge_mask must have shape [4], got [3]",
        "ops.gatv2(g, X, X, X[0], w)": "edge_mask must be bool or a Mask",
        "ops.gatv2(g, X, X, X[0], dropout=1.5)": "dropout must lie in [0, 1], got 1.5",
        "ops.gatv2(g, X, X, X[0], dropout=0.5, seed=torch.rand(1))": "seed must have dtype Long",
        "ops.gatv2(g, X.to('meta'), X, X[0])": "must be on the device of the graph",
    },
    "softmax_aggregate": {
        "ops.softmax_aggregate(g, x[:2])": "x must have one row per source node, 3, got shape",
        "ops.softmax_aggregate(g, X)": "x must have 2 dimensions",
        "ops.softmax_aggregate(g, x.long())": "x must be float32",
        "ops.softmax_aggregate(g, x.to('meta'))": "must be on the device of the graph",
        "ops.softmax_aggregate(g, x, torch.rand(3))": "t must be a number or have one or 4",
        "ops.softmax_aggregate(g, x, torch.rand(2, 2))": "t must be a number or have one or 4",
        "ops.softmax_aggregate(g, x, torch.ones(4).int())": "t must be floating point",
        "ops.softmax_aggregate(g, x, 'hot')": "t must be a number or a tensor, got str",
        "ops.softmax_aggregate(g, x, w.to('meta'))": "must be on the device of the graph",
        "ops.softmax_aggregate(g, x, 1.0, keep[:3])": "edge_mask must have shape [4], got [3]",
        "ops.softmax_aggregate(g, x, 1.0, w)": "edge_mask must be bool or a Mask",
        "ops.softmax_aggregate(g, x, eps='small')": "eps must be a number, got str",
        "torch.ops.sparsegnn.softmax_aggregate(*csr, x, w.double(), None, False, 0.0, True)": (
            "t must have dtype Float, got Double"
        ),
        "torch.ops.sparsegnn.softmax_aggregate_grad(*csr, x[:2], x, w, None, x, x, False, 0.0,"
        " True)": "grad must have shape [3, 4], got [2, 4]",
        "torch.ops.sparsegnn.softmax_aggregate_grad(*csr, x, x, w, None, x, x[:, :2], False, 0.0,"
        " True)": "log_sum must have shape [3, 4], got [3, 2]",
        "torch.ops.sparsegnn.softmax_aggregate_grad(*csr, x, x, w, None, x.half(), x, False, 0.0,"
        " True)": "y must have dtype Float, got Half",
    },
    "attention": {
        "ops.edge_softmax(g, torch.rand(5))": "scores must have shape [4, 1], got [5, 1]",
        "ops.edge_softmax(g, torch.rand(4, 2, 1))": "scores must have shape [E] or [E, H]",
        "ops.edge_softmax(g, torch.ones(4, dtype=torch.complex64).real.long())": "scores must",
        "ops.edge_softmax(g, torch.rand(4), torch.rand(4))": "edge_mask must be bool or a Mask",
        "ops.edge_softmax(g, torch.rand(4), keep[:3])": "edge_mask must have shape [4], got [3]",
        "ops.edge_softmax(g, torch.rand(4).to('meta'))": "must be on the device of the graph",
        "ops.edge_scores(g, x[:2], x)": "dst must have shape [3, 4], got [2, 4]",
        "ops.edge_scores(g, x, x[:, :2])": "src must have shape [3, 4], got [3, 2]",
        "ops.edge_scores(g, x[0], x)": "dst must have 2 dimensions",
        "ops.edge_scores(g, x, x.double())": "s_src must have the dtype of s_dst",
        "ops.edge_scores(g, x.long(), x.long())": "s_dst must be floating point",
        "ops.sddmm(g, x, x, op='mul')": "op must be 'dot' or 'add', got 'mul'",
        "torch.ops.sparsegnn.edge_scores(*csr, None, None, None, 1.0)": "dst must be given",
        "torch.ops.sparsegnn.edge_scores(*csr, x.half(), None, None, 1.0)": "dst must be float32",
        "torch.ops.sparsegnn.edge_sum(*csr, x[:2], None)": "values must have shape [4, 4]",
        "torch.ops.sparsegnn.edge_sum(*csr, torch.rand(2, 4).t(), None)": "values must be contig",
        "torch.ops.sparsegnn.edge_softmax_grad(*csr, torch.rand(4, 2), torch.rand(4, 1), None)": (
            "grad must have shape [4, 2], got [4, 1]"
        ),
    },
    "block_linear": {
        "ops.block_linear(x, B)": "x must have 16 columns",
        "ops.block_linear(xb, None)": "weight must be",
        "ops.block_linear(None, B)": "x must be",
        "ops.compact_linear(xb, B.values)": "weight must be",
        "ops.nm_mask(None, 2, 4)": "weight must be",
        "ops.block_linear(torch.randn(16), B)": "x must have 2 dimensions",
        "ops.block_linear(xb.long(), B)": "x must be float32",
        "ops.block_linear(xb, B, torch.rand(16))": "bias must have shape [32], got [16]",
        "ops.block_linear(xb.to('meta'), B)": "must be on the device of the graph",
        "torch.ops.sparsegnn.block_linear(*B.csr, xb, torch.rand(1, 16, 16), None, False)": "values"
        " must be contiguous of shape [2, b, b]",
        "torch.ops.sparsegnn.block_linear(*B.csr, xb, torch.rand(2, 8, 8), None, False)": "block"
        " must be 16, 32 or 64, got 8",
        "torch.ops.sparsegnn.block_linear(*B.csr, xb, B.values.double(), None, False)": "values"
        " must have dtype Float, got Double",
        "torch.ops.sparsegnn.block_linear_grad(*B.csr, torch.randn(3, 16), xb, 16)": "g must have",
        "torch.ops.sparsegnn.block_linear_grad(*B.csr, torch.randn(2, 32), xb, 16)": "g must have",
        "torch.ops.sparsegnn.block_linear_grad(*B.csr, torch.randn(3, 32), xb, 7)": "block must",
        "sg.BlockWeight.from_dense(torch.ones(3))": "weight must be a floating matrix",
        "sg.BlockWeight.from_dense(torch.ones(32, 33))": "weight must have sizes that are",
        "sg.BlockWeight.from_dense(torch.ones(32, 32), 8)": "block must be 16, 32 or 64, got 8",
        "sg.BlockWeight.from_dense(torch.ones(32, 32), 16, torch.ones(4, 4))": "mask must be bool",
    },
    "sparse_linear": {
        "ops.sparse_linear(torch.randn(3, 5), W)": "x must have 4 columns",
        "ops.sparse_linear(torch.randn(4), W)": "x must have 2 dimensions",
        "ops.sparse_linear(torch.ones(3, 4, dtype=torch.int32), W)": "x must be float32",
        "ops.sparse_linear(x, W, torch.rand(4))": "bias must have shape [5], got [4]",
        "torch.ops.sparsegnn.sparse_linear(*W.csr, x, torch.rand(3), None)": "values must have",
        "torch.ops.sparsegnn.sparse_linear_grad(*W.csr, torch.randn(3, 4), x)": "g must have shape",
        "torch.ops.sparsegnn.sparse_linear_grad(*W.csr, torch.randn(3, 5), x.double())": "g must",
        "sg.SparseWeight.from_dense(torch.ones(3))": "weight must be a floating matrix",
        "sg.SparseWeight.from_dense(torch.eye(3), torch.ones(3, 2, dtype=torch.bool))": "mask must",
        "sg.SparseWeight.from_dense(torch.eye(3), torch.ones(3, 3))": "mask must be bool",
    },
}


@pytest.mark.parametrize("name", CASES)
def test_one_sentence_and_no_crash(name: str) -> None:
    calls = list(CASES[name])
    lines = [f"out.append(attempt(lambda: {call}))" for call in calls]
    program = "\n".join([SETUP, "out = []", *lines, "print(json.dumps(out))"])
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for call, (kind, message) in zip(calls, json.loads(done.stdout), strict=True):
        expected = CASES[name][call]
        raw = call.startswith("torch.ops")  # torch 2.15 turns every exception of a raw operator
        allowed = ("ValueError", "TypeError", *(["RuntimeError"] if raw else []))
        assert kind in allowed, (call, kind, message)
        assert expected in message, (call, message)
        assert "\n" not in message.strip(), (call, message)
