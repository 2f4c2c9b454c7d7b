"""A training step of a deep ResGCN (DeeperGCN, arXiv 2006.07739).

Pre-activation residual layers around GENConv with softmax aggregation, 128 channels wide. Ours is
PyG's model, converted; parameters are the same. PyG keeps several rows per arc and layer between
forward and backward: at few layers both are measured, at many ours alone, where PyG's would neither
fit nor end within minutes. With `recompute` the convolutions are computed again in the backward,
which `DeepGCNLayer` offers as `ckpt_grad`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import sparsegnn as sg
from bench.cases import OURS, Case, Outputs
from bench.harness import Plan
from bench.inputs import EdgeList

HIDDEN = 128
CLASSES = 40
DROPOUT = 0.1
PYG = "PyG GENConv"
RECOMPUTED = "recomputed convolutions"
# A step of PyG takes more than a minute.
PLAN = Plan(rounds=2, warmup=1, min_rounds=2)
NOTE = (
    "Forward, cross-entropy, backward and Adam. Layers are LayerNorm, ReLU, dropout, convolution "
    "with a learnable temperature and a linear layer, residual. Ours is PyG's model, converted."
)
ALONE = (
    "PyG's step at this depth is left out: with recomputed convolutions it takes minutes, without "
    "them its rows per arc do not fit in memory; the case of few layers compares both."
)


class ResGCN(nn.Module):
    """Encoder, residual layers, and a classifier, of PyG's layers."""

    def __init__(
        self, layers: int, in_channels: int, *, recompute: bool, dropout: float = DROPOUT
    ) -> None:
        super().__init__()
        from torch_geometric.nn import DeepGCNLayer, GENConv

        self.encoder = nn.Linear(in_channels, HIDDEN)
        self.layers = nn.ModuleList()
        for _ in range(layers):
            conv = GENConv(HIDDEN, HIDDEN, aggr="softmax", learn_t=True, num_layers=1, bias=True)
            norm, act = nn.LayerNorm(HIDDEN), nn.ReLU()
            layer = DeepGCNLayer(conv, norm, act, dropout=dropout, ckpt_grad=recompute)
            self.layers.append(layer)
        self.classifier = nn.Linear(HIDDEN, CLASSES)

    def forward(self, x: Tensor, graph: object) -> Tensor:
        """Logits of every node."""
        h = self.encoder(x)
        for layer in self.layers:
            h = layer(h, graph)
        result: Tensor = self.classifier(h)
        return result


def training(
    edges: EdgeList,
    layers: int,
    *,
    peers: bool = True,
    recompute: bool = False,
    dropout: float = DROPOUT,
) -> Case:
    """One step, ours and, with `peers`, PyG's; with `recompute` each of them both ways."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(edges.num_nodes, HIDDEN, generator=generator)
    y = torch.randint(0, CLASSES, (edges.num_nodes,), generator=generator)
    graph = sg.Graph.from_edge_index(edges.edge_index, num_nodes=edges.num_nodes)
    runs: dict[str, Callable[[], Outputs]] = {}
    for name, where in ((OURS, graph), (PYG, edges.edge_index)):
        if name == PYG and not peers:
            continue
        for recomputed in (False, True) if recompute else (False,):
            torch.manual_seed(0)
            model: nn.Module = ResGCN(layers, HIDDEN, recompute=recomputed, dropout=dropout)
            model = sg.nn.convert(model) if name == OURS else model
            optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
            label = f"{name}, {RECOMPUTED}" if recomputed else name
            runs[label] = partial(_step, model, optimizer, x, y, where)
    return Case(
        name=f"res-gcn-train/{edges.name}/{layers}",
        alternatives=runs,
        params={
            "graph": edges.name,
            "nodes": edges.num_nodes,
            "arcs": edges.weight.numel(),
            "layers": layers,
            "hidden": HIDDEN,
        },
        memory=True,
        note=NOTE if peers else f"{NOTE} {ALONE}",
    )


def _step(
    model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor, graph: object
) -> Outputs:
    """The loss."""
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x, graph), y)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return (loss.detach(),)
