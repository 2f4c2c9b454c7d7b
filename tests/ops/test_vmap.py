"""`torch.vmap` over the operators equals a loop over them, forward and backward."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import sparsegnn as sg
from sparsegnn.testing import assert_close, random_graph

BATCH = 3
GRAPH = random_graph(7, 9, 30, seed=11).graph()
KEEP = sg.Mask.from_bool(torch.arange(30) % 3 != 1)


def leaf(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()


DENSE = leaf(6, 9).detach() * (torch.arange(54).view(6, 9) % 4 == 0)
SPARSE, BLOCK = sg.SparseWeight.from_dense(DENSE), sg.BlockWeight.from_dense(leaf(32, 48), 16)
COMPACT = sg.CompactWeight.from_dense(DENSE)
X, A, EDGES, ROWS, COLS = leaf(9, 5), leaf(7, 5), leaf(30), leaf(7), leaf(9)
Case = tuple[Callable[..., Any], tuple[Tensor, ...]]

# A function and its arguments; the test batches each of them, alone and all together.
CASES: dict[str, Case] = {
    "spmm": (lambda x: sg.ops.spmm(GRAPH, x, edge_mask=KEEP, reduce="mean"), (X,)),
    "spmm epilogue": (
        lambda x, b, r: sg.ops.spmm(GRAPH, x, bias=b, relu=True, residual=r),
        (X, leaf(5), A),
    ),
    "spmm values": (lambda x, w, m: sg.ops.spmm(GRAPH, x, w, m), (X, EDGES, leaf(30))),
    "spmm scales": (
        lambda x, r, c: sg.ops.spmm(GRAPH, x, row_scale=r, col_scale=c),
        (X, ROWS, COLS),
    ),
    "spmm transpose": (lambda a, w: sg.ops.spmm(GRAPH, a, w, transpose=True), (A, EDGES)),
    "spmm dropout": (lambda x: sg.ops.spmm(GRAPH, x, dropout=0.5, seed=3), (X,)),
    "spmm max": (lambda x, w: sg.ops.spmm(GRAPH, x, w, KEEP, reduce="max"), (X, EDGES)),
    "spmm of sparse rows": (
        lambda x, w: sg.ops.spmm(GRAPH, sg.ops.topk_rows(x, 2), w, row_scale=ROWS.detach()),
        (X, EDGES),
    ),
    "sddmm": (lambda a, x, m: sg.ops.sddmm(GRAPH, a, x, m), (A, X, EDGES)),
    "sddmm add": (lambda a, x: sg.ops.sddmm(GRAPH, a, x, KEEP, op="add"), (A, X)),
    "edge_scores": (lambda a, x: sg.ops.edge_scores(GRAPH, a, x, negative_slope=0.2), (A, X)),
    "edge_softmax": (lambda s: sg.ops.edge_softmax(GRAPH, s, KEEP), (leaf(30, 2),)),
    "edge_softmax of a vector": (lambda s: sg.ops.edge_softmax(GRAPH, s), (EDGES,)),
    "gat": (
        lambda x, d, s, e: sg.ops.gat(GRAPH, x, d, s, KEEP, e),
        (leaf(9, 2, 4), leaf(7, 2), leaf(9, 2), leaf(30, 2)),
    ),
    "gatv2": (
        lambda x, d, a: sg.ops.gatv2(GRAPH, x, d, a, KEEP),
        (leaf(9, 2, 4), leaf(7, 2, 4), leaf(2, 4)),
    ),
    "softmax_aggregate": (
        lambda x, t: sg.ops.softmax_aggregate(GRAPH, x, t, KEEP, eps=0.1),
        (X, leaf(5)),
    ),
    "dropout": (lambda x: sg.ops.dropout(x, 0.4, 7), (X,)),
    "dropout after a bias": (
        lambda x, b: sg.ops.dropout(x, 0.4, 7, bias=b, relu=True),
        (X, leaf(5)),
    ),
    "topk_rows": (lambda x: sg.ops.topk_rows(x, 2).values, (X,)),
    "topk_mask": (lambda a, x: tuple(sg.ops.topk_mask([a, x], 11)), (A, X)),
    "sparse_linear": (lambda x, b: sg.ops.sparse_linear(x, SPARSE, b), (leaf(4, 9), leaf(6))),
    "block_linear": (lambda x, b: sg.ops.block_linear(x, BLOCK, b), (leaf(4, 48), leaf(32))),
    "compact_linear": (lambda x: sg.ops.compact_linear(x, COMPACT), (leaf(4, 9),)),
}


def in_dims(count: int) -> list[tuple[int | None, ...]]:
    """The batch in front of everything, behind everything, and in one argument alone."""
    alone = [tuple(0 if i == j else None for j in range(count)) for i in range(count)]
    return [(0,) * count, (-1,) * count, *(alone if count > 1 else [])]


def batch_of(tensor: Tensor, dim: int | None) -> Tensor:
    if dim is None:
        return tensor.detach().clone().requires_grad_()
    parts = [tensor.detach() * (1 + element) - element for element in range(BATCH)]
    return torch.stack(parts, dim).requires_grad_()


def as_tuple(result: Any) -> tuple[Tensor, ...]:
    return result if isinstance(result, tuple) else (result,)


def one_by_one(function: Callable[..., Any], dims: Any, arguments: Any) -> tuple[Tensor, ...]:
    results = [
        as_tuple(
            function(
                *(
                    a if dim is None else a.select(dim, element)
                    for a, dim in zip(arguments, dims, strict=True)
                )
            )
        )
        for element in range(BATCH)
    ]
    return tuple(torch.stack(parts) for parts in zip(*results, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_equals_a_loop(name: str) -> None:
    function, plain = CASES[name]
    for dims in in_dims(len(plain)):
        arguments = [batch_of(a, dim) for a, dim in zip(plain, dims, strict=True)]
        expected = one_by_one(function, dims, arguments)
        actual = as_tuple(torch.vmap(function, dims)(*arguments))
        for left, right in zip(actual, expected, strict=True):
            assert left.shape == right.shape
            if left.is_floating_point():
                assert_close(left, right)
            else:
                assert torch.equal(left, right)
        if expected[0].requires_grad:
            for left, right in zip(
                *(torch.autograd.grad(r[0].square().sum(), arguments) for r in (actual, expected)),
                strict=True,
            ):
                assert_close(left, right)


@pytest.mark.parametrize("name", CASES)
def test_batched_gradients(name: str) -> None:
    """`is_grads_batched` runs the derivatives under vmap."""
    function, arguments = CASES[name]
    y = as_tuple(function(*arguments))[0]
    if not y.requires_grad:
        pytest.skip("no gradient")
    upstream = torch.randn(BATCH, *y.shape, dtype=y.dtype)
    options: dict[str, Any] = {"retain_graph": True}
    actual = torch.autograd.grad(y, arguments, upstream, is_grads_batched=True, **options)
    for element in range(BATCH):
        expected = torch.autograd.grad(y, arguments, upstream[element], **options)
        for left, right in zip(actual, expected, strict=True):
            assert_close(left[element], right)


def test_features_are_folded_into_one_call() -> None:
    calls = []

    class Count(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None):  # type: ignore[no-untyped-def]
            calls.append(func)
            return func(*args, **(kwargs or {}))

    x = torch.randn(BATCH, 9, 5)
    with Count():
        torch.vmap(lambda x: sg.ops.spmm(GRAPH, x))(x)
    assert calls.count(torch.ops.sparsegnn.spmm.default) == 1


@pytest.mark.parametrize("kind", ["dropout", "spmm"])
def test_randomness_is_respected(kind: str) -> None:
    x = torch.ones(BATCH, 9, 200)

    def drop(x: Tensor) -> Tensor:
        return sg.ops.dropout(x, 0.5) if kind == "dropout" else sg.ops.spmm(GRAPH, x, dropout=0.5)

    with pytest.raises(RuntimeError, match="randomness"):
        torch.vmap(drop)(x)
    same = torch.vmap(drop, randomness="same")(x)
    assert torch.equal(same[0], same[1]) and torch.equal(same[0], same[2])
    different = torch.vmap(drop, randomness="different")(x)
    assert not torch.equal(different[0], different[1])
    fixed = torch.vmap(lambda x: sg.ops.dropout(x, 0.5, 3))(x)
    assert torch.equal(fixed[1], sg.ops.dropout(x[1], 0.5, 3))


@pytest.mark.parametrize("name", ["spmm", "spmm scales", "gat", "sparse_linear"])
def test_compiles(name: str) -> None:
    function, plain = CASES[name]
    dims = (0,) * len(plain)
    arguments = [batch_of(a, 0) for a in plain]
    batched = torch.vmap(function, dims)
    compiled = torch.compile(batched, fullgraph=True, backend="aot_eager")
    results = [f(*arguments).square().sum() for f in (compiled, batched)]
    gradients = [torch.autograd.grad(result, arguments) for result in results]
    for actual, expected in zip(*gradients, strict=True):
        assert_close(actual, expected)


def test_nested() -> None:
    x = torch.randn(2, BATCH, 9, 5)
    twice = torch.vmap(torch.vmap(lambda x: sg.ops.spmm(GRAPH, x)))(x)
    assert_close(twice[1, 2], sg.ops.spmm(GRAPH, x[1, 2]))


def test_a_layer() -> None:
    layer, graph = sg.nn.GCN(5, 8, 2, 3), random_graph(9, 9, 30, seed=1).graph()
    x = torch.randn(BATCH, 9, 5)
    y = torch.vmap(lambda x: layer(x, graph))(x)
    for element in range(BATCH):
        assert_close(y[element], layer(x[element], graph))


def test_walks_of_a_batch() -> None:
    graph = random_graph(9, 9, 30, seed=1).graph()
    start = torch.arange(BATCH * 4).view(BATCH, 4) % 9
    walks = torch.vmap(lambda s: sg.ops.random_walk(graph, s, 5, seed=2))(start)
    assert torch.equal(walks[1], sg.ops.random_walk(graph, start[1], 5, seed=2))


def test_what_cannot_be_batched_says_so() -> None:
    x, keep = torch.randn(BATCH, 9, 5), torch.rand(BATCH, 30) < 0.5
    with pytest.raises(ValueError, match="edge_mask must be one mask for a batch"):
        torch.vmap(lambda x, m: sg.ops.spmm(GRAPH, x, edge_mask=m))(x, keep)
    mask = torch.ones(BATCH, 9, 5, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"drop_and_grow_ must run outside of torch\.vmap"):
        torch.vmap(lambda m, x: sg.ops.drop_and_grow_(m, x, [], x, 3))(mask, x)
    with pytest.raises(RuntimeError, match=r"have no torch\.func\.grad"):
        torch.func.grad(lambda x: sg.ops.spmm(GRAPH, x).sum())(x[0])
    with pytest.raises((ValueError, TypeError), match="x must"):
        torch.vmap(lambda x: sg.ops.spmm(GRAPH, x))(x[:, :4])
