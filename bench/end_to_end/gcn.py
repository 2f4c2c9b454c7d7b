"""Forward pass and training step of the dense model and of a ticket, by everyone's means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

import sparsegnn as sg
from bench.cases import OURS, Case
from bench.end_to_end.exact_gcn import exact_logits
from bench.end_to_end.setting import ROUNDS_TO_TICKET, Setting, load_weights
from bench.harness import Run
from bench.peers.gcn import CompositeGcn, GcnWeights, PygGcn, inference, training_step
from sparsegnn.compiler.report import Report
from sparsegnn.pruning import UGS, random_ticket
from sparsegnn.pruning.kept import Kept
from sparsegnn.pruning.stage import TicketStage
from sparsegnn.pruning.subject import Subject
from sparsegnn.training import Split

EAGER = "PyG eager"
COMPOSITE = "torch.sparse composite"


@dataclass(frozen=True)
class Pruned:
    """What a ticket leaves: edges and masked weights, as plain tensors."""

    edge_index: Tensor
    weights: GcnWeights

    @classmethod
    def of(cls, setting: Setting, ticket: sg.Ticket) -> Pruned:
        """Apply the masks of `ticket` without the package's model and graph code.

        A ticket lists edges by (target, source).
        """
        first, second = (
            ticket.state[name] * ticket.weight_masks[name].to_bool()
            for name in ("convs.0.lin.weight", "convs.1.lin.weight")
        )
        source, target = setting.task.edge_index
        order = torch.argsort(target * setting.task.num_nodes + source, stable=True)
        kept = setting.task.edge_index[:, order[ticket.edge_mask.to_bool()]]
        return cls(kept, GcnWeights(first, second))


def short_search(setting: Setting, epochs: int) -> sg.Ticket:
    """Ticket at 18.6 / 59.0 % of a UGS search with short stages.

    Which entries go depends on the stage length a little, how many does not; times need no more.
    """
    config = setting.config.model_copy(
        update={"rounds": ROUNDS_TO_TICKET, "mask_epochs": epochs, "train_epochs": epochs}
    )
    return UGS(config).search(setting.model, setting.data, seed=0)


def random_of_same_size(setting: Setting) -> sg.Ticket:
    """Random ticket at the same sparsities, hardly trained."""
    config = setting.config.model_copy(update={"train_epochs": 1})
    return random_ticket(setting.model, setting.data, config, seed=0, round=ROUNDS_TO_TICKET)[1]


def forward(setting: Setting, ticket: sg.Ticket, kind: str, with_compile: bool = False) -> Case:
    """Full forward pass: dense model by PyG and composite, ticket by composite and by us.

    `with_compile` adds PyG under `torch.compile`, which needs a C++ compiler and a minute.
    """
    task, dense = setting.task, GcnWeights.random(setting.task)
    pruned = Pruned.of(setting, ticket)
    compiled = ticket.compile(setting.model(), setting.data)
    plain = load_weights(setting.model(), dense)
    eager = PygGcn(dense)
    x = task.dense_x()

    def ticket_logits() -> tuple[Tensor]:
        return (exact_logits(task, pruned.edge_index, pruned.weights),)

    on_ticket = {OURS: inference(compiled)}
    on_dense: dict[str, Run] = {
        f"{OURS} dense model": inference(plain, setting.data.x, setting.data.graph),
        EAGER: inference(eager, x, task.edge_index),
    }
    for index in (torch.int32, torch.int64):
        label = f"{COMPOSITE} {str(index).removeprefix('torch.')}"
        module = CompositeGcn(task, task.edge_index, dense, index)
        on_dense[label] = inference(module)
        module = CompositeGcn(task, pruned.edge_index, pruned.weights, index)
        on_ticket[f"{label}, on the ticket"] = inference(module)
    if with_compile:
        fused = cast(torch.nn.Module, torch.compile(PygGcn(dense)))
        on_dense["PyG torch.compile"] = inference(fused, x, task.edge_index)
    suffix = "" if kind == "ugs" else f"-{kind}"
    return Case(
        name=f"gcn-forward/cora{suffix}",
        alternatives={**on_ticket, **on_dense},
        params=_params(setting, ticket, kind),
        reference=lambda: (exact_logits(task, task.edge_index, dense),),
        references=dict.fromkeys(on_ticket, ticket_logits),
        note="All but ours and 'on the ticket' run the unpruned model. " + _plan(compiled.report()),
    )


def training(setting: Setting, ticket: sg.Ticket) -> Case:
    """Forward with dropout, backward and Adam over all weights."""
    task, dense = setting.task, GcnWeights.random(setting.task)
    pruned = Pruned.of(setting, ticket)
    masked = ticket.apply(setting.model())
    graph = ticket.prune(setting.data.graph)
    plain = load_weights(setting.model(), dense)
    stage = _stage(setting, ticket)
    composite = CompositeGcn(task, task.edge_index, dense, torch.int32)
    sparse = CompositeGcn(task, pruned.edge_index, pruned.weights, torch.int32)
    return Case(
        name="gcn-train/cora",
        alternatives={
            OURS: stage.step,
            f"{OURS}, masked model": training_step(masked, task, setting.data.x, graph),
            f"{OURS} dense model": training_step(plain, task, setting.data.x, setting.data.graph),
            EAGER: training_step(PygGcn(dense), task, task.dense_x(), task.edge_index),
            COMPOSITE: training_step(composite, task),
            f"{COMPOSITE}, on the ticket": training_step(sparse, task),
        },
        params=_params(setting, ticket, "ugs"),
        note="The same fused Adam for everyone. Ours is the step of the search, over the surviving "
        "weights; 'masked model' is Ticket.apply in a user's own loop. The composite on the "
        "ticket's weights does not keep pruned weights at 0.",
    )


def _params(setting: Setting, ticket: sg.Ticket, kind: str) -> dict[str, str | int | float | bool]:
    masks = ticket.weight_masks.values()
    kept, total = sum(mask.count for mask in masks), sum(mask.numel for mask in masks)
    return {
        "data": "cora",
        "ticket": kind,
        "graph_sparsity": 1.0 - ticket.edge_mask.count / ticket.edge_mask.numel,
        "weight_sparsity": 1.0 - kept / total,
        "nodes": setting.task.num_nodes,
    }


def _stage(setting: Setting, ticket: sg.Ticket) -> TicketStage:
    subject = Subject.prepare(setting.model, setting.data, setting.config, seed=0)
    targets = Split.of(setting.data, "train")
    return TicketStage(subject, Kept.of_ticket(subject, ticket), targets)


def _plan(report: Report) -> str:
    layers = "; ".join(layer.chosen for layer in report.layers)
    return f"Plan: {report.plan} ({report.reason}): {layers}."
