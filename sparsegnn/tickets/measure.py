"""Wall-clock of a ticket against what others would run: forward pass and training step.

All programs are timed in turn within one run. Every one computes the same kind of result: logits of
all nodes for the forward pass; cross-entropy on the training nodes, gradients and an Adam step for
the training step. Dropout is off, so that all do the same work.
"""

from __future__ import annotations

import copy
import platform
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparsegnn.graph import Graph
from sparsegnn.nn import GCN
from sparsegnn.sparse_matrix import SparseMatrix
from sparsegnn.tickets.network import read_network
from sparsegnn.tickets.peers import PygGCN, TorchCompositeGCN
from sparsegnn.tickets.timing import Timing, interleaved

if TYPE_CHECKING:
    from sparsegnn.data import NodeDataset
    from sparsegnn.tickets.ticket import Ticket

PYG = "PyG eager"
COMPOSITE = "torch composite"
DENSE = "our dense model"
TICKET = "our ticket"


@dataclass(frozen=True)
class Comparison:
    """Times of one kind of work.

    Attributes:
        timings: By program name, in the order PyG, composite, dense, ticket.
        ratios: How many times faster the ticket is than each of the others, from medians.
    """

    timings: dict[str, Timing]
    ratios: dict[str, float]


@dataclass(frozen=True)
class SpeedReport:
    """Forward pass and training step of a ticket against its peers.

    Attributes:
        forward: One full forward pass.
        train_step: Forward, backward and Adam.
        plan: The plan of the compiled ticket ("compiled" or "dense").
        max_relative_difference: Largest difference of the peers' dense logits from our dense model's
            over its largest logit: the programs do the same computation.
        threads: CPU threads of torch.
        device: Where it ran.
        versions: Of python, torch and torch_geometric.
    """

    forward: Comparison
    train_step: Comparison
    plan: str
    max_relative_difference: float
    threads: int
    device: str
    versions: dict[str, str]

    def __str__(self) -> str:
        """A table of medians, quartiles and ratios."""
        lines = [f"{'':<18}{'forward ms':>28}{'ratio':>8}{'train step ms':>30}{'ratio':>8}"]
        for name, forward in self.forward.timings.items():
            step = self.train_step.timings[name]
            lines.append(
                f"{name:<18}{_cell(forward):>28}{_ratio(self.forward, name):>8}"
                f"{_cell(step):>30}{_ratio(self.train_step, name):>8}"
            )
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return "\n".join([*lines, f"{self.device}, {self.threads} threads, {versions}"])


def compare(
    ticket: Ticket,
    model: GCN,
    data: NodeDataset,
    *,
    rounds: int = 21,
    train_rounds: int = 9,
    budget_s: float | None = None,
) -> SpeedReport:
    """Times PyG eager, the torch composite, our dense model and our compiled ticket.

    Args:
        ticket: The ticket.
        model: The architecture; its weights are not used.
        data: The ticket's dataset, with features as the model takes them.
        rounds: Interleaved rounds of the forward pass.
        train_rounds: Interleaved rounds of the training step.
        budget_s: Seconds per kind of work after which no further round starts.

    Returns:
        Medians and quartiles, and the ticket's ratios against each of the others.

    Raises:
        TicketError: Graph or model are not the ticket's.
        ModuleNotFoundError: torch_geometric is not installed.
    """
    compiled = ticket.compile(copy.deepcopy(model), data)
    dense = copy.deepcopy(model)
    dense.load_state_dict(ticket.state)
    peers = _peers(dense, data)
    forwards: dict[str, Callable[[], Tensor]] = {
        **{name: peer.eval().forward for name, peer in peers.items()},
        DENSE: _Bound(dense, data.x, data.graph).eval().forward,
        TICKET: compiled.forward,
    }
    with torch.no_grad():
        difference = _difference(forwards)
        forward = interleaved(
            dict(forwards), rounds=rounds, budget_s=budget_s, device=data.graph.device
        )
    steps = _train_steps(ticket, model, data)
    train = interleaved(steps, rounds=train_rounds, budget_s=budget_s, device=data.graph.device)
    return SpeedReport(
        forward=_comparison(forward),
        train_step=_comparison(train),
        plan=compiled.report().plan,
        max_relative_difference=difference,
        threads=torch.get_num_threads(),
        device=_device_name(data.graph.device),
        versions=_versions(),
    )


class _Bound(nn.Module):
    """A GCN with its features and graph."""

    def __init__(self, model: GCN, x: Tensor | SparseMatrix, graph: Graph) -> None:
        super().__init__()
        self.model = model
        self.x = x
        self.graph = graph

    def forward(self) -> Tensor:
        return self.model(self.x, self.graph)  # type: ignore[no-any-return]


def _peers(model: GCN, data: NodeDataset) -> dict[str, PygGCN | TorchCompositeGCN]:
    return {
        PYG: PygGCN(model, data.x.to_dense(), data.edge_index),
        COMPOSITE: TorchCompositeGCN(model, data.x, data.graph),
    }


def _difference(forwards: dict[str, Callable[[], Tensor]]) -> float:
    """Largest difference of the peers' logits from the dense model's, relative to its largest."""
    expected = forwards[DENSE]()
    worst = max(float((forwards[name]() - expected).abs().max()) for name in (PYG, COMPOSITE))
    scale = float(expected.abs().max())
    return worst / scale if scale > 0 else worst


def _train_steps(ticket: Ticket, model: GCN, data: NodeDataset) -> dict[str, Callable[[], object]]:
    dense = copy.deepcopy(model)
    dense.load_state_dict(ticket.state)
    masked = ticket.apply(read_network(ticket, model).model.requires_grad_(True))
    modules: dict[str, nn.Module] = {
        **_peers(dense, data),
        DENSE: _Bound(dense, data.x, data.graph),
        TICKET: _Bound(masked, data.x, ticket.prune(data.graph)),
    }
    return {name: _train_step(module.eval(), data) for name, module in modules.items()}


def _train_step(module: nn.Module, data: NodeDataset) -> Callable[[], None]:
    """One step of the usual loop: the loss is taken on the training nodes."""
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-2, weight_decay=5e-4)
    nodes = data.train_mask.nonzero().flatten()
    target = data.y[nodes]

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss = functional.cross_entropy(module()[nodes], target)
        loss.backward()
        optimizer.step()

    return step


def _comparison(timings: dict[str, Timing]) -> Comparison:
    ours = timings[TICKET].median_ms
    ratios = {name: t.median_ms / ours for name, t in timings.items() if name != TICKET}
    return Comparison(timings, ratios)


def _cell(timing: Timing) -> str:
    return f"{timing.median_ms:.3f} ({timing.lower_quartile_ms:.3f}-{timing.upper_quartile_ms:.3f})"


def _ratio(comparison: Comparison, name: str) -> str:
    return f"{comparison.ratios[name]:.1f}x" if name in comparison.ratios else ""


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    import torch_geometric

    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torch_geometric": torch_geometric.__version__,
    }
