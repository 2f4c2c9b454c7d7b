"""Networks by dense fp64 matrices, from the definition of every operation; and random networks."""

from __future__ import annotations

import torch
from torch import Tensor

from sparsegnn.compiler.csr_matrix import CsrMatrix
from sparsegnn.compiler.graph_ops import Aggregate, Attend, AttendV2, Extreme, SoftmaxMean
from sparsegnn.compiler.network import INPUT, Network, Operation
from sparsegnn.compiler.row_ops import (
    Activation,
    Add,
    Bias,
    Concat,
    HeadMean,
    Linear,
    NodeSubset,
    Opaque,
    Scale,
    TopK,
)


def run(network: Network, x: Tensor) -> Tensor:
    """The result of the network for dense features."""
    values = {INPUT: x}
    for value, operation in network.operations.items():
        values[value] = _apply(operation, [values[i] for i in operation.inputs])
    return values[network.output]


def dense(matrix: CsrMatrix) -> Tensor:
    """The matrix with its values."""
    rows = torch.repeat_interleave(torch.arange(matrix.shape[0]), matrix.rowptr.diff().long())
    out = torch.zeros(matrix.shape, dtype=matrix.value.dtype)
    return out.index_put_((rows, matrix.col.long()), matrix.value, accumulate=True)


def _apply(op: Operation, inputs: list[Tensor]) -> Tensor:
    h = inputs[0]
    if isinstance(op, Linear):
        return h @ op.weight.t()
    if isinstance(op, Bias):
        return h + op.bias
    if isinstance(op, Scale):
        return h * op.scale
    if isinstance(op, Activation):
        return op.function()(h)
    if isinstance(op, Add):
        return h + inputs[1]
    if isinstance(op, Concat):
        out = torch.cat(inputs, dim=1)
        return out if op.index is None else out[:, op.index]
    if isinstance(op, HeadMean):
        out = h.unflatten(1, (op.heads, -1)).mean(1)
        return out if op.index is None else out[:, op.index]
    if isinstance(op, TopK):
        return _top_k(op, h)
    if isinstance(op, NodeSubset):
        return h[op.index]
    if isinstance(op, Opaque):
        return op.call(*inputs)
    if isinstance(op, Aggregate):
        return dense(op.matrix) @ h
    if isinstance(op, SoftmaxMean):
        return _softmax_mean(op, h)
    if isinstance(op, Extreme):
        return _extreme(op, h)
    assert isinstance(op, Attend | AttendV2)
    return _attention(op, h, inputs[-1])


def _top_k(op: TopK, h: Tensor) -> Tensor:
    rank = h.abs() if op.magnitude else h
    kept = rank.argsort(dim=1, descending=True, stable=True)[:, : op.k]
    return h * torch.zeros_like(h).scatter_(1, kept, 1.0)


def _softmax_mean(op: SoftmaxMean, h: Tensor) -> Tensor:
    messages, out = h.relu() + op.eps, h.new_zeros(op.matrix.shape[0], h.shape[1])
    for row in range(len(out)):
        columns = op.matrix.col[op.matrix.rowptr[row] : op.matrix.rowptr[row + 1]].long()
        if len(columns) > 0:
            taken = messages[columns]
            out[row] = ((op.t * taken).softmax(0) * taken).sum(0)
    return out


def _extreme(op: Extreme, h: Tensor) -> Tensor:
    out = h.new_zeros(op.matrix.shape[0], h.shape[1])
    for row in range(len(out)):
        columns = op.matrix.col[op.matrix.rowptr[row] : op.matrix.rowptr[row + 1]].long()
        if len(columns) > 0:
            out[row] = h[columns].amin(0) if op.smallest else h[columns].amax(0)
    return out


def _attention(op: Attend | AttendV2, source: Tensor, target: Tensor) -> Tensor:
    heads = op.heads
    s, t = source.unflatten(1, (heads, -1)), target.unflatten(1, (heads, -1))
    t = t if not isinstance(op, Attend) or op.targets is None else t[op.targets]
    out = torch.zeros_like(t)
    for row in range(len(t)):
        columns = op.matrix.col[op.matrix.rowptr[row] : op.matrix.rowptr[row + 1]].long()
        leaky = torch.nn.functional.leaky_relu
        if isinstance(op, Attend):
            scores = (s[columns] * op.att_src).sum(2) + (t[row] * op.att_dst).sum(1)
            scores = leaky(scores, op.negative_slope)
        else:
            scores = (leaky(s[columns] + t[row], op.negative_slope) * op.att).sum(2)
        out[row] = (scores.softmax(0)[:, :, None] * s[columns]).sum(0)
    return out.flatten(1)


def _centred(h: Tensor) -> Tensor:
    """Every row depends on all of them."""
    return h - h.mean(dim=0)


def _softmax(h: Tensor) -> Tensor:
    return h.softmax(dim=1)


def random_network(seed: int, nodes: int, inputs: int, length: int, sparsity: float) -> Network:
    """A network of `length` operations on values drawn at random; weights are sparse."""
    g = torch.Generator().manual_seed(seed)

    def pick(count: int) -> int:
        return int(torch.randint(0, count, (1,), generator=g))

    def numbers(*shape: int) -> Tensor:
        drawn = torch.rand(shape, generator=g, dtype=torch.float64) * 2 - 1
        return drawn * (torch.rand(shape, generator=g) >= sparsity)

    pattern = (torch.rand(nodes, nodes, generator=g) < 0.2).double()
    matrix = CsrMatrix.from_dense(pattern * (numbers(nodes, nodes) + 1.5))
    network = Network(inputs)
    for _ in range(length):
        widths = network.widths()
        values = list(widths)
        value = values[-1 - min(pick(3), len(values) - 1)]
        width = widths[value]
        same = [v for v in values if widths[v] == width]
        kind = pick(16)
        made: Operation
        if kind <= 2:
            made = Linear((value,), weight=numbers(2 * (1 + pick(4)), width))
        elif kind == 3:
            made = Bias((value,), bias=numbers(width))
        elif kind == 4:
            made = Scale((value,), scale=numbers(width))
        elif kind == 5:
            made = Activation((value,), name=["relu", "elu", "sigmoid"][pick(3)])
        elif kind == 6:
            made = Add((value, same[pick(len(same))]))
        elif kind == 7:
            other = values[pick(len(values))]
            made = Concat((value, other), sizes=(width, widths[other]))
        elif kind == 8 and width % 2 == 0:
            att = numbers(2, width // 2), numbers(2, width // 2)
            made = Attend(
                (value,), matrix=matrix, att_dst=att[0], att_src=att[1], negative_slope=0.2
            )
        elif kind == 10:
            t = numbers(width) if pick(2) else numbers(1)
            made = SoftmaxMean((value,), matrix=matrix, t=t, eps=0.1)
        elif kind == 11:
            made = Extreme((value,), matrix=matrix, weighted=False, smallest=bool(pick(2)))
        elif kind == 12 and width % 2 == 0:
            pair, att = (value, same[pick(len(same))]), numbers(2, width // 2)
            made = AttendV2(pair, matrix=matrix, att=att, negative_slope=0.2)
        elif kind == 13:
            made = Opaque((value,), call=_centred, channels=width)
        elif kind == 14:
            made = Opaque((value,), call=_softmax, channels=width, by_row=True)
        elif kind == 15:
            made = TopK((value,), k=pick(width + 1), magnitude=bool(pick(2)))
        elif kind == 9 and width % 2 == 0:
            made = HeadMean((value,), heads=2)
        else:
            made = Aggregate((value,), matrix=matrix)
        network.output = network.add(made)
    return network
