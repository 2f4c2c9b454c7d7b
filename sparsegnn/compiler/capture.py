"""Reads the network out of a model, by tracing its forward pass symbolically."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.utils import parametrize

from sparsegnn.compiler.builder import Builder, Value
from sparsegnn.compiler.errors import Unsupported
from sparsegnn.compiler.layer_rules import is_layer
from sparsegnn.compiler.lowering import lower_function, lower_module
from sparsegnn.compiler.network import INPUT, Network
from sparsegnn.graph import Graph


def capture(
    model: nn.Module,
    graph: Graph,
    num_features: int,
    arguments: dict[str, Any],
    dtype: torch.dtype,
) -> Network:
    """The evaluation-mode forward pass `model(x, graph, **arguments)` as a `Network`.

    Args:
        model: Takes features first and the graph second, as PyG's models do.
        graph: The graph that it will run on.
        num_features: Width of x.
        arguments: Further arguments, such as `edge_weight`, in the graph's edge order.
        dtype: Dtype of x.

    Raises:
        Unsupported: The forward pass depends on the values of the features, or uses them in a way
            that the compiler does not know.
    """
    builder = Builder(Network(num_features), graph, dtype)
    builder.inline = lambda module, x, where: _inlined(builder, module, x, where)
    call = _Call(model, arguments)
    result = _run(_trace(call), call, [builder.value(INPUT), graph], builder, "")
    if not isinstance(result, Value):
        raise Unsupported(f"it returns {type(result).__name__}, not one tensor with a row per node")
    builder.network.output = result.number
    return builder.network


def _inlined(builder: Builder, module: nn.Module, x: Value, where: str) -> Value:
    """Appends what a module inside a layer computes."""
    call = _RowCall(module)
    result = _run(_trace(call), call, [x], builder, f"{where}.")
    assert isinstance(result, Value)
    return result


def _run(
    program: fx.Graph, call: nn.Module, inputs: list[Any], builder: Builder, prefix: str
) -> Any:
    """Interprets a traced program, which appends to the network."""
    env: dict[fx.Node, Any] = {}
    for node in program.nodes:
        if node.op == "placeholder":
            env[node] = inputs.pop(0)
        elif node.op == "output":
            return fx.map_arg(node.args[0], env.__getitem__)
        else:
            env[node] = _evaluate(node, env, builder, call, prefix)
    raise AssertionError("a traced program ends with its output")


def _evaluate(
    node: fx.Node, env: dict[fx.Node, Any], builder: Builder, call: nn.Module, prefix: str
) -> Any:
    args = fx.map_arg(node.args, env.__getitem__)
    kwargs = fx.map_arg(node.kwargs, env.__getitem__)
    target = str(node.target)
    if node.op == "get_attr":
        owner, _, name = target.rpartition(".")
        value = getattr(call.get_submodule(owner), name)
        return value.detach() if isinstance(value, Tensor) else value
    if node.op == "call_module":
        module = call.get_submodule(target)
        path = prefix + target.removeprefix("model").removeprefix(".")
        return lower_module(builder, module, args, kwargs, path.rstrip("."))
    function: Any = getattr(Tensor, target) if node.op == "call_method" else node.target
    return lower_function(builder, function, args, kwargs)


class _Call(nn.Module):
    """The call of a model that is traced: everything but features and graph is given."""

    def __init__(self, model: nn.Module, arguments: dict[str, Any]) -> None:
        super().__init__()
        self.model = model
        self.arguments = arguments

    def forward(self, x: Any, graph: Any) -> Any:
        return self.model(x, graph, **self.arguments)


class _RowCall(nn.Module):
    """The call of a module on one value."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Any) -> Any:
        return self.model(x)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        if is_layer(m) or parametrize.is_parametrized(m):
            return True
        return super().is_leaf_module(m, module_qualified_name)


def _trace(call: nn.Module) -> fx.Graph:
    with evaluating(call):
        try:
            return _Tracer().trace(call)
        except Exception as error:
            reason = str(error).split(". ")[0].splitlines()[0] if str(error) else "no reason given"
            raise Unsupported(f"its forward pass could not be traced: {reason}") from error


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, and every module's own mode again afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
