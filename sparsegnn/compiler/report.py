"""What `CompiledModel.report()` returns."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsegnn.compiler.macs import MacCount
from sparsegnn.compiler.timing import Timing

if TYPE_CHECKING:
    from sparsegnn._json import Json


@dataclass(frozen=True)
class CandidateReport:
    """One way to execute a layer; `ms` is None when it was not measured."""

    name: str
    macs: int
    ms: float | None


@dataclass(frozen=True)
class LayerReport:
    """What is planned as one: a product or two and what follows, or two layers executed as one.

    Attributes:
        name: Paths of the modules that it covers.
        units: Widths in the model, from the input on.
        live_units: Of these, how many can influence the output.
        kept_weights: Weights kept.
        chosen: Name of the candidate that is executed.
        candidates: Everything considered.
        nodes: Nodes that the input has rows for, and that each result is computed for.
        edges: Entries of the matrices over edges, self loops among them.
        macs: Multiply-accumulates of what is executed; of the papers' count, the share of the
            modules that no entry before this one covers.
        touched_bytes: Operands, inputs and results of its steps, each counted once a step.
    """

    name: str
    units: tuple[int, ...]
    live_units: tuple[int, ...]
    kept_weights: int
    chosen: str
    candidates: tuple[CandidateReport, ...]
    nodes: tuple[int, ...]
    edges: int
    macs: MacCount
    touched_bytes: int


@dataclass(frozen=True)
class Bytes:
    """Memory of an executable form: weights with their indices, and the graph with its values."""

    weights: int
    graph: int


@dataclass(frozen=True)
class VariantReport:
    """Another plan that was asked for.

    Attributes:
        name: What differs from the plan without it.
        kept: Whether it is executed.
        reason: Why.
        ms: One forward pass with it; None when not measured.
        ms_without: The same without it.
        feature_bytes: Bytes of the features that the program holds with it.
        feature_bytes_without: The same without it.
    """

    name: str
    kept: bool
    reason: str
    ms: float | None = None
    ms_without: float | None = None
    feature_bytes: int = 0
    feature_bytes_without: int = 0

    def __str__(self) -> str:
        """One line."""
        stored, times = "", ""
        held, without = self.feature_bytes, self.feature_bytes_without
        if held != without:
            stored = f", {held} bytes of features with it, {without} without"
        if self.ms is not None and self.ms_without is not None:
            times = f", {self.ms:.3f} ms with it, {self.ms_without:.3f} ms without"
        return f"{self.name}: {'kept' if self.kept else 'not kept'}, {self.reason}{times}{stored}"


@dataclass(frozen=True)
class Report:
    """What a compiled model is, does and costs.

    Attributes:
        plan: "compiled", or "dense" when the program fell back to the dense model.
        reason: Why, in one sentence.
        layers: One entry per unit of the plan, in the order of execution.
        edges_kept: Directed entries kept, without added self loops.
        edges_total: Directed entries of the whole graph.
        macs: Multiply-accumulates of the program; None for a model that the compiler cannot follow.
        macs_dense: The same for the dense model on the whole graph.
        macs_kept: What pruning leaves to multiply: as `macs_dense`, on the pruned graph, without
            products with pruned weights. The program may take more of them, where dense arithmetic
            is faster, or fewer, where units are dead.
        memory: Bytes of the shipped program.
        memory_dense: Bytes of the dense model on the whole graph.
        compiled_ms: One forward pass of the compiled program; None when not measured.
        dense_ms: One forward pass of our dense model on the whole graph; None when not measured.
        masked_ms: One forward pass of our dense model on the pruned graph; None when not measured.
        kept_layers: Layers of PyG that stay as they are, with the reason, by path.
        relative_error: Largest difference from the masked model over its largest logit.
        threads: CPU threads of the measurement.
        device: Where it ran.
        torch_version: Version of torch.
        nodes_returned: Rows of the result.
        nodes_total: Nodes of the graph.
        variants: Other plans that were asked for.
        given_ms: One forward pass of the model as it was given, on the pruned graph; None when
            no layer was converted, when not measured, or when far from the fastest in one call.
        precision: "full", or "bf16" where features and weights are stored in 16 bits.
        agreement: Share of nodes whose largest output is the same channel as in the masked model.
    """

    plan: str
    reason: str
    layers: tuple[LayerReport, ...]
    edges_kept: int
    edges_total: int
    macs: MacCount | None
    macs_dense: MacCount | None
    macs_kept: MacCount | None
    memory: Bytes
    memory_dense: Bytes
    compiled_ms: Timing | None
    dense_ms: Timing | None
    masked_ms: Timing | None
    kept_layers: dict[str, str]
    relative_error: float
    threads: int
    device: str
    torch_version: str
    nodes_returned: int
    nodes_total: int
    variants: tuple[VariantReport, ...] = ()
    given_ms: Timing | None = None
    precision: str = "full"
    agreement: float = 1.0

    def counted(self) -> tuple[MacCount, MacCount]:
        """Counts of the program and of the dense model.

        Raises:
            ValueError: The compiler could not follow the model.
        """
        if self.macs is None or self.macs_dense is None:
            raise ValueError(f"operations must be known to be reported, but {self.reason}.")
        return self.macs, self.macs_dense

    def fewer_macs(self, base: str = "executed") -> float:
        """How many times fewer operations pruning leaves than the dense model takes.

        Args:
            base: A field of `MacCount`.

        Raises:
            ValueError: The compiler could not follow the model.
        """
        if self.macs_kept is None:
            raise ValueError(f"operations must be known to be compared, but {self.reason}.")
        kept, dense = getattr(self.macs_kept, base), getattr(self.macs_dense, base)
        return float(dense / kept) if kept > 0 else math.inf

    def realisation(self) -> float | None:
        """Measured speed-up over our dense model, as a share of that of the operations left.

        1 means that time fell as much as the operations that pruning leaves, with features as they
        are stored. None when either is not known.
        """
        if self.compiled_ms is None or self.dense_ms is None or self.macs_kept is None:
            return None
        return self.dense_ms.median_ms / self.compiled_ms.median_ms / self.fewer_macs()

    def to_json(self) -> dict[str, Json]:
        """The report as JSON values."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        """The report as text, one fact per line."""
        return "\n".join([*self._head(), *self._layer_lines(), *self._cost_lines()])

    def _head(self) -> list[str]:
        return [
            f"plan: {self.plan} ({self.reason})",
            f"edges: {self.edges_kept} of {self.edges_total} kept",
            f"nodes: {self.nodes_returned} of {self.nodes_total} in the result",
            f"checked against the masked model: {self.relative_error:.1e} of the largest logit, "
            f"{self.agreement:.2%} of nodes with the same largest one, {self.precision} precision",
            *(f"{path}: left as it is, {why}" for path, why in self.kept_layers.items()),
            *map(str, self.variants),
        ]

    def _layer_lines(self) -> list[str]:
        lines = []
        for layer in self.layers:
            units = " -> ".join(map(str, layer.units))
            live = " -> ".join(map(str, layer.live_units))
            nodes = " -> ".join(map(str, layer.nodes))
            lines.append(
                f"{layer.name}: {units} units, live {live}, {layer.kept_weights} weights, "
                f"{nodes} nodes, {layer.edges} edges, {layer.touched_bytes / 1e6:.2f} MB touched"
            )
            for candidate in layer.candidates:
                mark = "*" if candidate.name == layer.chosen else " "
                ms = "not measured" if candidate.ms is None else f"{candidate.ms:.3f} ms"
                macs = f"{candidate.macs / 1e6:.2f} M MACs"
                lines.append(f"  {mark} {candidate.name}: {ms}, {macs}")
        return lines

    def _cost_lines(self) -> list[str]:
        lines = []
        for field in dataclasses.fields(MacCount) if self.macs is not None else ():
            counts = {
                "": self.macs,
                ", what pruning leaves": self.macs_kept,
                ", dense model": self.macs_dense,
            }
            parts = (f"{key} {getattr(c, field.name) / 1e6:.1f} M" for key, c in counts.items())
            lines.append(f"MACs, {field.name.replace('_', ' ')}:{''.join(parts)}")
        for name in ("weights", "graph"):
            dense, ours = getattr(self.memory_dense, name), getattr(self.memory, name)
            lines.append(f"{name}: {ours} bytes, dense model {dense}")
        if self.dense_ms is None or self.masked_ms is None or self.compiled_ms is None:
            return [*lines, "milliseconds: not measured"]
        timings = {
            "compiled": self.compiled_ms,
            "our dense model": self.dense_ms,
            "our dense model on the pruned graph": self.masked_ms,
        }
        if self.given_ms is not None:
            timings["the model as given, on the pruned graph"] = self.given_ms
        for name, timing in timings.items():
            lines.append(
                f"{name}: {timing.median_ms:.3f} ms "
                f"({timing.lower_quartile_ms:.3f} to {timing.upper_quartile_ms:.3f})"
            )
        share = self.realisation()
        if share is not None:
            lines.append(
                f"realisation: {share:.2f} of {self.fewer_macs():.1f} times fewer operations"
            )
        where = f"{self.device}, {self.threads} threads, torch {self.torch_version}"
        return [*lines, f"measured on {where}, {self.compiled_ms.clock} time"]
