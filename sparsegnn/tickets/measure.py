"""Wall-clock of a ticket against what others would run: forward pass and training step.

All programs are timed in turn within one run. Every one computes the same kind of result: logits of
all nodes for the forward pass; cross-entropy on the training nodes, gradients and an Adam step for
the training step. Dropout is off, so that all do the same work.
"""

from __future__ import annotations

import copy
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparsegnn.compiler.plain import plain_copy
from sparsegnn.compiler.report import Report
from sparsegnn.compiler.timing import BUSY_SHARE, Timing, interleaved
from sparsegnn.graph import Graph
from sparsegnn.nn import GCN
from sparsegnn.sparse_matrix import SparseMatrix
from sparsegnn.tickets.masking import check_state
from sparsegnn.tickets.peers import PygGCN, TorchCompositeGCN

if TYPE_CHECKING:
    from sparsegnn._json import Json
    from sparsegnn.compiler.compiled import CompiledModel
    from sparsegnn.data import NodeDataset
    from sparsegnn.tickets.ticket import Ticket

Kind = Literal["pyg", "composite", "dense", "ticket"]
Program = Callable[[], Tensor]

_NAMES: dict[Kind, str] = {
    "pyg": "PyG eager",
    "composite": "torch.sparse composite",
    "dense": "sparsegnn dense",
    "ticket": "sparsegnn ticket",
}


@dataclass(frozen=True)
class Row:
    """One program.

    Attributes:
        kind: Which program.
        name: How tables name it.
        forward: One full forward pass.
        step: Forward, backward and Adam; None when not asked for.
        macs: Multiply-accumulates that its forward pass executes.
        bytes: Memory of its weights and its graph.
        note: What a reader has to know, such as that the ticket fell back to the dense model.
    """

    kind: Kind
    name: str
    forward: Timing
    step: Timing | None
    macs: int
    bytes: int
    note: str | None = None


@dataclass(frozen=True)
class SpeedReport:
    """Forward pass and training step of a ticket beside its peers.

    Attributes:
        rows: PyG, composite, dense, ticket.
        max_relative_difference: Largest difference of the peers' logits from those of our dense
            model, over its largest logit: the programs do the same computation.
        busy: Other processes held the cores during the run; the times then say little.
        threads: CPU threads of torch.
        device: Where it ran.
        versions: Of python, torch and torch_geometric.
        plan: What `CompiledModel.report()` says about the ticket that was timed.
    """

    rows: tuple[Row, ...]
    max_relative_difference: float
    busy: bool
    threads: int
    device: str
    versions: dict[str, str]
    plan: Report

    def row(self, kind: Kind) -> Row:
        """The row of one program."""
        return next(row for row in self.rows if row.kind == kind)

    def ratio(self, kind: Kind, work: Literal["forward", "step"] = "forward") -> float:
        """How many times faster the ticket is than `kind`, from medians.

        Raises:
            ValueError: Training steps were not measured.
        """
        theirs: Timing | None = getattr(self.row(kind), work)
        ours: Timing | None = getattr(self.row("ticket"), work)
        if theirs is None or ours is None:
            raise ValueError(f"work must have been measured, got {work!r}")
        return theirs.median_ms / ours.median_ms

    def to_json(self) -> dict[str, Json]:
        """The report as JSON values."""
        return {**asdict(self), "rows": [asdict(row) for row in self.rows]}

    def __str__(self) -> str:
        """A table of medians, quartiles and ratios."""
        lines = [f"{'':<24}{'forward ms':>28}{'ratio':>9}{'training step ms':>30}{'ratio':>9}"]
        for row in self.rows:
            cells = f"{row.name:<24}{_cell(row.forward):>28}{self.ratio(row.kind):>8.2f}x"
            if row.step is not None:
                cells += f"{_cell(row.step):>30}{self.ratio(row.kind, 'step'):>8.2f}x"
            lines.append(cells + (f"  {row.note}" if row.note else ""))
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        lines.append(f"{self.device}, {self.threads} threads, {versions}")
        if self.busy:
            lines.append("other processes held the cores during this run: measure again")
        return "\n".join(lines)


def compare(
    ticket: Ticket,
    model: GCN,
    data: NodeDataset,
    *,
    training: bool = True,
    rounds: int = 21,
    budget_s: float | None = 20.0,
    on_progress: Callable[[str], None] | None = None,
) -> SpeedReport:
    """Times PyG eager, the torch composite, our dense model and our compiled ticket.

    Args:
        ticket: The ticket.
        model: The architecture; its weights are not used.
        data: The ticket's dataset, with features as the model takes them.
        training: Measure training steps too.
        rounds: Interleaved rounds of each kind of work.
        budget_s: Seconds per kind of work after which no further round starts; at least three run.
        on_progress: Told what is being done.

    Returns:
        One row per program.

    Raises:
        TicketError: Graph or model are not the ticket's.
        ModuleNotFoundError: torch_geometric is not installed.
    """
    say = on_progress or (lambda message: None)
    say("compiling the ticket")
    compiled = ticket.compile(copy.deepcopy(model), data)
    dense = _dense_model(ticket, model)
    forwards = _forwards(dense, compiled, data)
    device = data.graph.device
    say("timing the forward pass")
    with torch.no_grad():
        difference = _difference(forwards)
        times = interleaved(
            {str(kind): run for kind, run in forwards.items()},
            rounds=rounds,
            budget_s=budget_s,
            device=device,
        )
    steps: dict[str, Timing] = {}
    if training:
        say("timing the training step")
        programs = _train_steps(ticket, model, data)
        steps = interleaved(programs, rounds=rounds, budget_s=budget_s, device=device)
    share = min(t.cpu_share for t in [*times.values(), *steps.values()])
    return SpeedReport(
        rows=tuple(
            _row(kind, dense, compiled, data, times[kind], steps.get(kind)) for kind in _NAMES
        ),
        max_relative_difference=difference,
        busy=device.type == "cpu" and share < BUSY_SHARE,
        threads=torch.get_num_threads(),
        device=_device_name(device),
        versions=_versions(),
        plan=compiled.report(),
    )


def measure_forward(
    compiled: CompiledModel, *, rounds: int = 21, budget_s: float | None = 1.0
) -> Timing:
    """Times the forward pass of one compiled ticket."""
    device = next(compiled.program.parameters(), next(compiled.program.buffers())).device
    work: dict[str, Callable[[], object]] = {"ticket": compiled.forward}
    return interleaved(work, rounds=rounds, budget_s=budget_s, device=device)["ticket"]


def _dense_model(ticket: Ticket, model: GCN) -> GCN:
    """The architecture with the ticket's weights and nothing pruned."""
    dense = plain_copy(model)
    check_state(dense, ticket.state)
    dense.load_state_dict(ticket.state)
    return dense


class _Bound(nn.Module):
    """A GCN with its features and graph."""

    def __init__(self, model: GCN, x: Tensor | SparseMatrix, graph: Graph) -> None:
        super().__init__()
        self.model = model
        self.x = x
        self.graph = graph

    def forward(self) -> Tensor:
        return self.model(self.x, self.graph)  # type: ignore[no-any-return]


def _peers(model: GCN, data: NodeDataset) -> dict[Kind, PygGCN | TorchCompositeGCN]:
    return {
        "pyg": PygGCN(model, data.x.to_dense(), data.edge_index),
        "composite": TorchCompositeGCN(model, data.x, data.graph),
    }


def _forwards(dense: GCN, compiled: CompiledModel, data: NodeDataset) -> dict[Kind, Program]:
    modules = {**_peers(dense, data), "dense": _Bound(dense, data.x, data.graph)}
    return {
        **{kind: module.eval().forward for kind, module in modules.items()},
        "ticket": compiled.forward,
    }


def _difference(forwards: dict[Kind, Program]) -> float:
    """Largest difference of the peers' logits from the dense model's, relative to its largest."""
    expected = forwards["dense"]()
    peers = (forwards["pyg"](), forwards["composite"]())
    worst = max(float((logits - expected).abs().max()) for logits in peers)
    scale = float(expected.abs().max())
    return worst / scale if scale > 0 else worst


def _train_steps(ticket: Ticket, model: GCN, data: NodeDataset) -> dict[str, Callable[[], object]]:
    dense = _dense_model(ticket, model)
    masked = ticket.apply(_dense_model(ticket, model))
    modules = {
        **_peers(dense, data),
        "dense": _Bound(dense, data.x, data.graph),
        "ticket": _Bound(masked, data.x, ticket.prune(data.graph)),
    }
    return {kind: _train_step(module.eval(), data) for kind, module in modules.items()}


def _train_step(module: nn.Module, data: NodeDataset) -> Callable[[], None]:
    """One step of the usual loop: the loss is taken on the training nodes."""
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-2, weight_decay=5e-4, fused=True)
    nodes = data.train_mask.nonzero().flatten()
    target = data.y[nodes]

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss = functional.cross_entropy(module()[nodes], target)
        loss.backward()
        optimizer.step()

    return step


def _row(
    kind: Kind,
    dense: GCN,
    compiled: CompiledModel,
    data: NodeDataset,
    forward: Timing,
    step: Timing | None,
) -> Row:
    report = compiled.report()
    note = f"fell back to the dense model: {report.reason}" if report.plan == "dense" else None
    weights = sum(p.numel() * p.element_size() for p in dense.parameters())
    entries = data.graph.with_self_loops().num_edges
    ours, whole = report.counted()
    operations = {
        "pyg": whole.executed_dense_features,
        "composite": whole.executed,
        "dense": whole.executed,
        "ticket": ours.executed,
    }
    memory = {
        "pyg": weights + data.edge_index.numel() * 8,
        "composite": weights + (data.num_nodes + 1) * 8 + entries * 12,
        "dense": report.memory_dense.weights + report.memory_dense.graph,
        "ticket": report.memory.weights + report.memory.graph,
    }
    ticket_note = note if kind == "ticket" else None
    return Row(kind, _NAMES[kind], forward, step, operations[kind], memory[kind], ticket_note)


def _cell(timing: Timing) -> str:
    quartiles = f"{timing.lower_quartile_ms:.3f} to {timing.upper_quartile_ms:.3f}"
    return f"{timing.median_ms:.3f} ({quartiles})"


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
