"""A training epoch of a pruned model: masks multiplied in, and nothing but what is kept."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

import sparsegnn as sg
from bench.cases import OURS, Builders, Case
from bench.end_to_end.models import TICKETS, ModelTask, build, load
from bench.harness import Run
from bench.peers.gcn import training_step
from sparsegnn.training import CapturedStep, sparsify

MASKED = "PyG eager, masks multiplied in"
DENSE = f"{OURS} dense model"
HELD = f"{OURS}, weights held dense"
KINDS = ("GCN", "SAGE", "GIN", "GAT")
Masks = dict[str, Tensor]


def cases(quick: bool, full: bool) -> Builders:
    """GCNs on Cora and PubMed at three sparsities; every kind of model in a full run."""
    names = ("cora",) if quick else ("cora", "pubmed")
    found: Builders = {}
    for edges, weights in TICKETS[1:2] if quick else TICKETS:
        for kind in KINDS if full else KINDS[:1]:
            for name in names:
                case = f"model-sparse-train/{kind}-{name}/{edges}-{weights}"
                found[case] = partial(training, kind, name, edges, weights)
    return found


def training(kind: str, name: str, edges: int, weights: int) -> Case:
    """Forward with dropout, loss on the training nodes, backward, Adam with weight decay."""
    problem, model = load(name), build(kind, name)
    masks, keep = random_masks(model, problem, edges, weights)
    graph = sg.Graph.from_edge_index(problem.edge_index, num_nodes=problem.task.num_nodes)
    sparse = sparsify(model, graph, edge_mask=keep, weight_masks=masks)
    held = sparsify(model, graph, edge_mask=keep, weight_masks=masks, form="dense")
    dense = sg.nn.convert(copy.deepcopy(model))
    x, kept_edges = problem.task.dense_x(), problem.edge_index[:, keep]
    return Case(
        name=f"model-sparse-train/{kind}-{name}/{edges}-{weights}",
        alternatives={
            OURS: training_step(sparse, problem.task, problem.x),
            f"{OURS}, CapturedStep": captured(copy.deepcopy(sparse), problem),
            HELD: training_step(held, problem.task, problem.x),
            DENSE: training_step(dense, problem.task, problem.x, graph),
            MASKED: training_step(Masked(model, masks), problem.task, x, kept_edges),
        },
        params={
            **problem.params(),
            "graph_sparsity": edges / 100,
            "weight_sparsity": weights / 100,
        },
        note="Masks are random, the same share of every matrix. All but the dense model train the "
        f"pruned one. {str(sparse.report()).replace(chr(10), '; ')}.",
    )


class Masked(nn.Module):
    """A model whose weights are multiplied by their masks in every forward pass."""

    def __init__(self, model: nn.Module, masks: Masks) -> None:
        super().__init__()
        self.model = model
        self.masks = masks

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Logits of every node."""
        parameters = dict(self.model.named_parameters())
        masked = {name: parameters[name] * mask for name, mask in self.masks.items()}
        logits: Tensor = torch.func.functional_call(self.model, masked, (x, edge_index))
        return logits


def random_masks(
    model: nn.Module, problem: ModelTask, edges: int, weights: int
) -> tuple[Masks, Tensor]:
    """Kept entries of every matrix, and kept edges."""
    generator = torch.Generator().manual_seed(edges)
    masks = {
        name: torch.rand(parameter.shape, generator=generator) >= weights / 100
        for name, parameter in model.named_parameters()
        if parameter.dim() == 2
    }
    keep = torch.rand(problem.edge_index.shape[1], generator=generator) >= edges / 100
    return masks, keep


def captured(sparse: Any, problem: ModelTask) -> Run:
    """The same step as a `CapturedStep`, without its setting for the process."""
    task = problem.task
    rows, labels = task.train_mask.nonzero().squeeze(1), task.y[task.train_mask]
    optimizer = torch.optim.Adam(sparse.parameters(), lr=0.008, weight_decay=8e-5, fused=True)

    def loss(output: Tensor) -> Tensor:
        return nn.functional.cross_entropy(output.index_select(0, rows), labels)

    return CapturedStep(sparse, loss, optimizer, inputs=(problem.x,), keep_memory=False)
