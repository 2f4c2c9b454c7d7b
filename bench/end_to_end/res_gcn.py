"""A training step of a deep ResGCN (DeeperGCN, arXiv 2006.07739).

Pre-activation residual layers around GENConv with softmax aggregation, 128 channels wide.
PyG's model and ours share everything but the convolution, parameters included. PyG's keeps several
rows per arc and layer between forward and backward; where that does not fit, its convolutions are
recomputed in the backward, which `DeepGCNLayer` offers as `ckpt_grad`. Ours is shown both ways.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import sparsegnn as sg
from bench.cases import OURS, Case, Outputs
from bench.inputs import EdgeList

HIDDEN = 128
CLASSES = 40
DROPOUT = 0.1
PYG = "PyG GENConv"
RECOMPUTED = "recomputed convolutions"
NOTE = (
    "Forward, cross-entropy, backward and Adam. Layers are LayerNorm, ReLU, dropout, convolution "
    "with a learnable temperature and a linear layer, residual."
)


class _OurGen(nn.Module):
    """PyG's convolution with its aggregation replaced; its parameters are PyG's own."""

    def __init__(self, conv: Any) -> None:
        super().__init__()
        self.mlp, self.t, self.eps = conv.mlp, conv.aggr_module.t, conv.eps

    def forward(self, x: Tensor, graph: sg.Graph) -> Tensor:
        result: Tensor = self.mlp(sg.ops.softmax_aggregate(graph, x, self.t, eps=self.eps) + x)
        return result


class ResGCN(nn.Module):
    """Encoder, residual layers, and a classifier."""

    def __init__(self, layers: int, in_channels: int, *, ours: bool, recompute: bool) -> None:
        super().__init__()
        from torch_geometric.nn import DeepGCNLayer, GENConv

        self.encoder = nn.Linear(in_channels, HIDDEN)
        self.layers = nn.ModuleList()
        for _ in range(layers):
            conv = GENConv(HIDDEN, HIDDEN, aggr="softmax", learn_t=True, num_layers=1, bias=True)
            self.layers.append(
                DeepGCNLayer(
                    _OurGen(conv) if ours else conv,
                    nn.LayerNorm(HIDDEN),
                    nn.ReLU(),
                    dropout=DROPOUT,
                    ckpt_grad=recompute,
                )
            )
        self.classifier = nn.Linear(HIDDEN, CLASSES)

    def forward(self, x: Tensor, graph: object) -> Tensor:
        """Logits of every node."""
        h = self.encoder(x)
        for layer in self.layers:
            h = layer(h, graph)
        result: Tensor = self.classifier(h)
        return result


def training(edges: EdgeList, layers: int, *, recompute_only: bool = True) -> Case:
    """One step; `recompute_only` leaves out PyG's step that keeps rows per arc."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(edges.num_nodes, HIDDEN, generator=generator)
    y = torch.randint(0, CLASSES, (edges.num_nodes,), generator=generator)
    graph = sg.Graph.from_edge_index(edges.edge_index, num_nodes=edges.num_nodes)
    runs: dict[str, Callable[[], Outputs]] = {}
    for name, ours, where in ((OURS, True, graph), (PYG, False, edges.edge_index)):
        for recompute in (True, False):
            if not ours and not recompute and recompute_only:
                continue
            label = f"{name}, {RECOMPUTED}" if recompute else name
            runs[label] = partial(_step, *_model(layers, ours, recompute), x, y, where)
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
        note=NOTE,
    )


def _model(layers: int, ours: bool, recompute: bool) -> tuple[ResGCN, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = ResGCN(layers, HIDDEN, ours=ours, recompute=recompute)
    return model, torch.optim.Adam(model.parameters(), lr=1e-3)


def _step(
    model: ResGCN, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor, graph: object
) -> Outputs:
    """The loss. Every alternative drops the same features: PyG's dropout draws from one seed."""
    torch.manual_seed(1)
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x, graph), y)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return (loss.detach(),)
