"""Which channels of which linear maps a model reads, found by tracing its forward pass."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from sparsegnn.nn.stack import Fused
from sparsegnn.training.layer_stages import Maps, is_elementwise, stages_of

FEATURES = 0
_FUNCTIONS = {
    F.relu, F.leaky_relu, F.elu, F.selu, F.gelu, F.silu, F.softplus, F.tanh, F.sigmoid, F.dropout,
    torch.relu, torch.tanh, torch.sigmoid,
}  # fmt: skip
_METHODS = {"relu", "relu_", "tanh", "sigmoid"}
_LEAVES = ("sparsegnn.", "torch_geometric.nn.conv", "torch_geometric.nn.norm",
           "torch_geometric.nn.dense", "torch_geometric.nn.aggr",
           "torch_geometric.nn.models.mlp")  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """Linear maps from the channels of one value to those of another.

    Attributes:
        maps: Paths of the maps.
        reads: Number of the value that they read, `FEATURES` for the features.
        gives: Number of the value that they give.
        owner: Path of the layer that checks the number of its input channels, if one does.
    """

    maps: tuple[str, ...]
    reads: int
    gives: int
    owner: str | None


@dataclass
class Flow:
    """The linear maps of a model in the order of execution.

    Values that only elementwise functions and sums lie between have one number.

    Attributes:
        stages: The maps.
        fixed: Values of which every channel is there: they are read by something unknown, or given
            by it.
    """

    stages: list[Stage] = field(default_factory=list)
    fixed: set[int] = field(default_factory=set)


def flow_of(model: nn.Module) -> Flow | None:
    """The flow, None where the forward pass cannot be traced or depends on the mode.

    Args:
        model: Called as `model(x, graph)`.
    """
    modes = [(module, module.training) for module in model.modules()]
    try:
        flows = [_read(_Reader(model), mode) for mode in (True, False)]
    except Exception:  # whatever a forward pass does with what stands for its inputs
        return None
    finally:
        for module, training in modes:
            module.training = training
    once = [path for stage in flows[0].stages for path in stage.maps]
    return flows[0] if flows[0] == flows[1] and len(set(once)) == len(once) else None


def _read(reader: _Reader, training: bool) -> Flow:
    reader.call.train(training)
    for node in _Tracer().trace(reader.call).nodes:
        reader.read(node)
    return reader.flow()


class _Call(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Any, graph: Any) -> Any:
        return self.model(x, graph)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        known = type(m).__module__.startswith(_LEAVES) and not isinstance(m, Fused)
        return known or super().is_leaf_module(m, module_qualified_name)


class _Reader:
    """Reads a traced program, node by node."""

    def __init__(self, model: nn.Module) -> None:
        self.call = _Call(model)
        self._stages: list[Stage] = []
        self._fixed: set[int] = {FEATURES}
        self._same: list[int] = [FEATURES]  # the number that stands for each value
        self._values: dict[fx.Node, int] = {}

    def flow(self) -> Flow:
        """What was read."""
        stages = [
            Stage(s.maps, self._same[s.reads], self._same[s.gives], s.owner) for s in self._stages
        ]
        return Flow(stages, {self._same[value] for value in self._fixed})

    def read(self, node: fx.Node) -> None:
        """Takes one node."""
        if node.op == "placeholder":
            if not self._values:
                self._values[node] = FEATURES
            return
        read = [n for n in node.all_input_nodes if n in self._values]
        first = node.args[0] if node.args else None
        alone = len(read) == 1 and first is read[0]
        if not read:
            return
        if node.op == "call_module" and alone:
            self._module(node, str(node.target), self._values[read[0]])
        elif alone and self._is_elementwise(node):
            self._values[node] = self._values[read[0]]
        elif node.target in (operator.add, torch.add) and len(read) == 2 and len(node.args) == 2:
            self._values[node] = self._join(*(self._values[n] for n in read))
        else:
            self._unknown(node, read)

    def _is_elementwise(self, node: fx.Node) -> bool:
        known = _METHODS if node.op == "call_method" else _FUNCTIONS
        return node.op in ("call_method", "call_function") and node.target in known

    def _module(self, node: fx.Node, target: str, value: int) -> None:
        module = self.call.get_submodule(target)
        if is_elementwise(module):
            self._values[node] = value
            return
        path = target.removeprefix("model").removeprefix(".")
        chain = stages_of(module)
        for maps in chain:
            value = self._add(path, maps, value)
        if chain:
            self._values[node] = value
        else:
            self._unknown(node, [n for n in node.all_input_nodes if n in self._values])

    def _add(self, path: str, maps: Maps, reads: int) -> int:
        gives = self._new()
        paths = tuple(".".join(filter(None, (path, one))) for one in maps.paths)
        owner = None if maps.owner is None else ".".join(filter(None, (path, maps.owner)))
        self._stages.append(Stage(paths, reads, gives, owner))
        if not maps.free:
            self._fixed.add(gives)
        return gives

    def _unknown(self, node: fx.Node, read: list[fx.Node]) -> None:
        self._fixed.update(self._values[n] for n in read)
        self._values[node] = self._new()
        self._fixed.add(self._values[node])

    def _new(self) -> int:
        self._same.append(len(self._same))
        return len(self._same) - 1

    def _join(self, a: int, b: int) -> int:
        kept, gone = sorted((self._same[a], self._same[b]))
        self._same = [kept if number == gone else number for number in self._same]
        return kept


@dataclass(frozen=True)
class Channels:
    """Channels of a map that take part; None for all."""

    rows: Tensor | None = None
    cols: Tensor | None = None


def live_channels(flow: Flow, keep: dict[str, Tensor]) -> dict[str, Channels]:
    """What every map has to compute for the model's result.

    Args:
        flow: The flow of the model.
        keep: bool `[out, in]` of every map.
    """
    read: dict[int, Tensor] = {}
    changed = True
    while changed:  # the maps of a residual read the value that they are added to
        changed = False
        for stage in reversed(flow.stages):
            rows = _given(flow, read, stage)
            masks = [keep[path] if rows is None else keep[path][rows] for path in stage.maps]
            columns = torch.stack([mask.any(dim=0) for mask in masks]).any(dim=0)
            before = read.get(stage.reads, torch.zeros_like(columns))
            read[stage.reads] = before | columns
            changed |= bool((columns & ~before).any())
    found = {}
    for stage in flow.stages:
        cols = None if stage.reads in flow.fixed else _index(read[stage.reads])
        found.update(dict.fromkeys(stage.maps, Channels(_given(flow, read, stage), cols)))
    return found


def _given(flow: Flow, read: dict[int, Tensor], stage: Stage) -> Tensor | None:
    """The channels that a stage has to give; None for all."""
    return None if stage.gives in flow.fixed else _index(read.get(stage.gives))


def _index(read: Tensor | None) -> Tensor | None:
    """Positions of the channels that are read, at least one; None for all."""
    if read is None or bool(read.all()):
        return None
    return read.nonzero().squeeze(1) if bool(read.any()) else read.new_zeros(1, dtype=torch.int64)
