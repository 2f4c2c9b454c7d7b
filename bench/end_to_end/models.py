"""Models of PyG on five data sets: dense and pruned, forward pass, against PyG and a composite."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import scipy.sparse as sp
import torch
from torch import Tensor, nn

import sparsegnn as sg
from bench.cases import OURS, Builders, Case
from bench.harness import Run
from bench.inputs import NodeTask
from bench.peers.gcn import CompositeGcn, GcnWeights, inference, training_step
from sparsegnn.compiler import CompiledModel
from sparsegnn.data.sources import find_content

DATA = ("cora", "citeseer", "pubmed", "coauthor-cs", "amazon-photo")
HIDDEN = 512
HEADS = 8
TICKETS = ((20, 60), (40, 90), (60, 98))
EAGER = "PyG eager"
COMPOSITE = "torch.sparse composite"


@dataclass(frozen=True)
class ModelTask:
    """Features and graph in the forms that the alternatives take."""

    task: NodeTask
    x: sg.SparseMatrix

    @property
    def edge_index(self) -> Tensor:
        """int64 [2, E]."""
        return self.task.edge_index

    def params(self) -> dict[str, str | int | float | bool]:
        """What identifies the input."""
        return {
            "data": self.task.name,
            "nodes": self.task.num_nodes,
            "edges": self.edge_index.shape[1],
            "features": int(self.x.shape[1]),
            "feature_density": self.x.density,
            "hidden": HIDDEN,
        }


def cases(quick: bool) -> Builders:
    """Dense models of four kinds, and pruned GCNs, on every data set."""
    data = DATA[:1] if quick else DATA
    found: Builders = {}
    for kind in KINDS:
        for name in data:
            found[f"model-forward/{kind}-{name}"] = partial(forward, kind, name)
            found[f"model-train/{kind}-{name}"] = partial(training, kind, name)
    for edges, weights in TICKETS:
        for name in data:
            found[f"model-ticket/{edges}-{weights}/{name}"] = partial(ticket, edges, weights, name)
    return found


def forward(kind: str, name: str) -> Case:
    """Full forward pass of the dense, unpruned model."""
    problem, model = load(name), build(kind, name)
    compiled = sg.compile(model, problem.edge_index, problem.x)
    alternatives = {OURS: inference(compiled), EAGER: _eager(model, problem)}
    if kind == "GCN":
        alternatives.update(_composites(model, problem, problem.edge_index))
    return Case(
        name=f"model-forward/{kind}-{name}",
        alternatives=alternatives,
        params=problem.params(),
        reference=_exact(model, problem, problem.edge_index),
        note=f"Nothing is pruned; ours reads the features as they are, sparse. {_plan(compiled)}",
    )


def training(kind: str, name: str) -> Case:
    """An epoch over all nodes: forward with dropout, loss, backward, Adam."""
    problem, model = load(name), build(kind, name)
    ours = sg.nn.convert(copy.deepcopy(model))
    graph = sg.Graph.from_edge_index(problem.edge_index, num_nodes=problem.task.num_nodes)
    x = problem.task.dense_x()
    return Case(
        name=f"model-train/{kind}-{name}",
        alternatives={
            OURS: training_step(ours, problem.task, problem.x, graph),
            EAGER: training_step(model, problem.task, x, problem.edge_index),
        },
        params=problem.params(),
        note="The same model, converted, and the same fused Adam; ours reads sparse features.",
    )


def ticket(edges: int, weights: int, name: str) -> Case:
    """Full forward pass of a GCN with random masks, against its dense self and on the masks."""
    problem, dense = load(name), build("GCN", name)
    pruned, kept = _prune(dense, problem, edges, weights)
    compiled = sg.compile(pruned, problem.edge_index, problem.x, edge_mask=kept)
    on_masks = _composites(pruned, problem, problem.edge_index[:, kept])
    masked = {f"{label}, on the ticket": run for label, run in on_masks.items()}
    exact = _exact(pruned, problem, problem.edge_index[:, kept])
    return Case(
        name=f"model-ticket/{edges}-{weights}/{name}",
        alternatives={
            OURS: inference(compiled),
            EAGER: _eager(dense, problem),
            **_composites(dense, problem, problem.edge_index),
            **masked,
        },
        params={
            **problem.params(),
            "graph_sparsity": edges / 100,
            "weight_sparsity": weights / 100,
        },
        reference=_exact(dense, problem, problem.edge_index),
        references=dict.fromkeys([OURS, *masked], exact),
        note="Masks are random, the same share of every weight. All but ours and 'on the ticket' "
        f"run the unpruned model. {_plan(compiled)}",
    )


@cache
def load(name: str) -> ModelTask:
    """A data set with its features as they come; every tenth node trains where none are named."""
    content, _ = find_content(name)
    features, labels = content.features, torch.from_numpy(content.labels).long()
    x = sp.csr_matrix(features).astype("float32")
    nodes = torch.arange(content.num_nodes) % 10
    task = NodeTask(
        name,
        torch.from_numpy(content.edge_index).long(),
        x,
        labels,
        nodes == 0,
        nodes == 1,
        nodes == 2,
        int(labels.max()) + 1,
    )
    return ModelTask(task, sg.SparseMatrix.from_scipy(x))


def build(kind: str, name: str) -> nn.Module:
    """A two-layer model of PyG, 512 hidden units, drawn with seed 0."""
    torch.manual_seed(0)
    problem = load(name)
    make, options = KINDS[kind]()
    model: nn.Module = make(
        int(problem.x.shape[1]), HIDDEN, 2, problem.task.num_classes, dropout=0.5, **options
    )
    return model.eval()


def _gat() -> tuple[Any, dict[str, Any]]:
    from torch_geometric.nn import GAT

    return GAT, {"heads": HEADS}


def _basic(name: str) -> Callable[[], tuple[Any, dict[str, Any]]]:
    def find() -> tuple[Any, dict[str, Any]]:
        import torch_geometric.nn as pyg

        return getattr(pyg, name), {}

    return find


KINDS: dict[str, Callable[[], tuple[Any, dict[str, Any]]]] = {
    "GCN": _basic("GCN"),
    "GIN": _basic("GIN"),
    "SAGE": _basic("GraphSAGE"),
    "GAT": _gat,
}


def _prune(
    dense: nn.Module, problem: ModelTask, edges: int, weights: int
) -> tuple[nn.Module, Tensor]:
    generator = torch.Generator().manual_seed(edges)
    pruned = copy.deepcopy(dense)
    with torch.no_grad():
        for parameter in pruned.parameters():
            if parameter.dim() == 2:
                drawn = torch.rand(parameter.shape, generator=generator)
                parameter.mul_(drawn >= weights / 100)
    drawn = torch.rand(problem.edge_index.shape[1], generator=generator)
    return pruned, drawn >= edges / 100


def _eager(model: nn.Module, problem: ModelTask) -> Run:
    x = problem.task.dense_x()
    return inference(model, x, problem.edge_index)


def _composites(model: Any, problem: ModelTask, edge_index: Tensor) -> dict[str, Run]:
    """The expert's program with either width of indices; it has no biases, which flatters it."""
    first, second = (conv.lin.weight.detach() for conv in model.convs)
    weights = GcnWeights(first, second)
    return {
        f"{COMPOSITE} {str(index).removeprefix('torch.')}": inference(
            CompositeGcn(problem.task, edge_index, weights, index)
        )
        for index in (torch.int32, torch.int64)
    }


def _exact(model: nn.Module, problem: ModelTask, edge_index: Tensor) -> Callable[[], tuple[Tensor]]:
    def logits() -> tuple[Tensor]:
        exact = copy.deepcopy(model).double()
        with torch.inference_mode():
            return (exact(problem.task.dense_x().double(), edge_index),)

    return logits


def _plan(compiled: CompiledModel) -> str:
    report = compiled.report()
    steps = "; ".join(layer.chosen for layer in report.layers)
    return f"Plan: {report.plan} ({report.reason}): {steps}."
