import pytest
import torch

import sparsegnn as sg
from sparsegnn.ops.gcn_hidden import composite
from sparsegnn.testing import TOLERANCES, random_graph

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]


@pytest.mark.parametrize("outputs", [1, 2, 3, 4, 7, 9])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_equals_the_layers_one_by_one(isa: int, outputs: int, dtype: torch.dtype) -> None:
    kind = torch.float64 if dtype == torch.float64 else torch.float32
    g = random_graph(70, 70, 300, 1).graph().in_storage_order()
    dense = torch.randn(70, 40, dtype=kind) * (torch.rand(70, 40) < 0.2)
    x = sg.SparseMatrix.from_dense(dense)
    weight, scale = torch.randn(40, 150, dtype=kind), torch.rand(70, dtype=kind)
    w1 = sg.ops.pack_panels(weight.to(dtype))
    units = w1.shape[0] * w1.shape[2]
    w2 = torch.nn.functional.pad(torch.randn(outputs, 150, dtype=kind), (0, units - 150)).to(dtype)
    bias, value = torch.randn(units, dtype=kind), torch.rand(g.num_edges, dtype=kind)
    arguments = (x.pattern.rowptr, x.pattern.col, x.values, scale, g.rowptr, g.col, value)
    actual = sg.ops.gcn_hidden(*arguments, w1, bias, w2)
    adjacency = sg.SparseMatrix(g, value).to_dense().double()
    features = scale.double().unsqueeze(1) * dense.double()
    unpacked = w1.transpose(0, 1).reshape(40, units).double()
    hidden = (adjacency @ (features @ unpacked) + bias.double()).relu()
    expected = hidden @ w2.double().t()
    assert actual.dtype == dtype
    bound = TOLERANCES[dtype] * max(1.0, float(expected.abs().max()))
    assert float((actual.double() - expected).abs().max()) <= bound
    assert float((composite(*arguments, w1, bias, w2).double() - expected).abs().max()) <= bound


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_same_bits_for_every_thread_count(threads: int) -> None:
    g = sg.testing.power_law_graph(900, 9000).in_storage_order()
    x = sg.SparseMatrix.from_dense(torch.randn(900, 60) * (torch.rand(900, 60) < 0.2))
    w1 = sg.ops.pack_panels(torch.randn(60, 256))
    rest = (g.rowptr, g.col, torch.rand(g.num_edges), w1, None, torch.randn(5, 256))
    arguments = (x.pattern.rowptr, x.pattern.col, x.values, None, *rest)
    torch.set_num_threads(1)
    expected = sg.ops.gcn_hidden(*arguments)
    torch.set_num_threads(threads)
    assert torch.equal(sg.ops.gcn_hidden(*arguments), expected)


def test_bad_shapes() -> None:
    g = random_graph(5, 5, 9).graph()
    x = (g.rowptr, g.col, None, None)
    graph = (g.rowptr, g.col, None)
    good = torch.randn(2, 5, 4)
    with pytest.raises(ValueError, match="w2 does not fit"):
        torch.ops.sparsegnn.gcn_hidden(*x, *graph, good, None, torch.randn(3, 7))
    with pytest.raises(ValueError, match="w1 must have 3 dimensions"):
        sg.ops.gcn_hidden(*x, *graph, good[0], None, torch.randn(3, 8))
    with pytest.raises(ValueError, match=r"bias must have shape \[8\]"):
        sg.ops.gcn_hidden(*x, *graph, good, torch.randn(4), torch.randn(3, 8))
