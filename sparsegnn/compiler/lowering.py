"""What a call in a traced model means as operations."""

from __future__ import annotations

import copy
import inspect
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.utils import parametrize

from sparsegnn.compiler.builder import Builder, Value
from sparsegnn.compiler.by_row import function_by_row, module_by_row
from sparsegnn.compiler.errors import Unsupported
from sparsegnn.compiler.layer_rules import LAYERS, NotCovered, graph_argument, is_layer
from sparsegnn.compiler.opaque_call import OpaqueCall, Slot
from sparsegnn.compiler.row_ops import ACTIVATIONS, Concat, TopK
from sparsegnn.graph import Graph
from sparsegnn.nn import Dropout, MaskedLinear, MaxK, SparseLinear

_MODULE_ACTIVATIONS: dict[type[nn.Module], str] = {
    nn.ReLU: "relu",
    nn.ELU: "elu",
    nn.LeakyReLU: "leaky_relu",
    nn.GELU: "gelu",
    nn.SiLU: "silu",
    nn.Sigmoid: "sigmoid",
    nn.Tanh: "tanh",
    nn.Softplus: "softplus",
}
_DROPOUTS = (nn.Dropout, Dropout, nn.Dropout1d, nn.AlphaDropout, nn.FeatureAlphaDropout)
_ADDITIONS = {operator.add, operator.iadd, torch.add, Tensor.add, Tensor.add_}
_PRODUCTS = {operator.mul, operator.imul, torch.mul, Tensor.mul, Tensor.mul_}
_SAME = {Tensor.contiguous, Tensor.clone, Tensor.detach}


def lower_module(
    builder: Builder, module: nn.Module, args: Any, kwargs: dict[str, Any], where: str
) -> Any:
    """Appends what `module(*args, **kwargs)` computes."""
    if not _holds_value((args, kwargs)):
        return module(*_plain(builder, args), **_plain(builder, kwargs))
    kind = parametrize.type_before_parametrizations(module)
    rule = LAYERS.get(kind)
    if rule is not None:
        try:
            call = inspect.signature(rule).bind(builder, module, where, *args, **kwargs)
        except TypeError:  # an argument that the rule does not know
            return _opaque_module(builder, module, args, kwargs, where)
        try:
            return rule(*call.args, **call.kwargs)
        except NotCovered:
            return _opaque_module(builder, module, args, kwargs, where)
    x = args[0] if args else next(iter(kwargs.values()))
    if kind is nn.Identity or kind in _DROPOUTS:
        return x
    if kind in _MODULE_ACTIVATIONS:
        name = _MODULE_ACTIVATIONS[kind]
        options = {key: getattr(module, key) for key in ACTIVATIONS[name][0]}
        return builder.activation(x, name, options, where)
    if kind is MaxK:
        return _top_k(builder, x, module, where)  # type: ignore[arg-type]
    if _is_linear(kind):
        return builder.linear(x, _dense_weight(module), module.bias, where)  # type: ignore[arg-type]
    if kind is nn.BatchNorm1d and module.running_var is not None:
        return _batch_norm(builder, x, module, where)  # type: ignore[arg-type]
    return _opaque_module(builder, module, args, kwargs, where)


def lower_function(
    builder: Builder, function: Callable[..., Any], args: Any, kwargs: dict[str, Any]
) -> Any:
    """Appends what `function(*args, **kwargs)` computes; evaluates it when no value is involved."""
    if not _holds_value((args, kwargs)):
        return function(*_plain(builder, args), **_plain(builder, kwargs))
    x: Any = args[0] if args else None
    if function is operator.getitem and isinstance(x, tuple | list):
        return x[args[1]]
    if function in _SAME:
        return x
    if function in (Tensor.size, getattr) and isinstance(x, Value):
        return _shape(builder, x, function, args[1:])
    if function in (nn.functional.dropout, torch.dropout):
        return _dropout(x, args, kwargs)
    if function in _ADDITIONS and not kwargs:
        return _sum(builder, *args)
    if function in _PRODUCTS and not kwargs and (factor := _factor(builder, *args)) is not None:
        return builder.scale(*factor, "")
    if function in (torch.cat, torch.concat):
        return _concat(builder, args, kwargs)
    if function is nn.functional.linear:
        return _linear_function(builder, *args, **kwargs)
    if (found := _activation_function(function, args, kwargs)) is not None:
        return builder.activation(x, *found, "")
    return _opaque(builder, function, args, kwargs, getattr(function, "__name__", str(function)))


def _is_linear(kind: type[nn.Module]) -> bool:
    from torch_geometric.nn import Linear as PygLinear

    return kind in (nn.Linear, PygLinear, MaskedLinear, SparseLinear)


def _dense_weight(module: nn.Module) -> Tensor:
    if isinstance(module, SparseLinear):
        return module.weight.to_dense()
    weight: Tensor = module.weight  # type: ignore[assignment]
    return weight


def _top_k(builder: Builder, x: Value, module: MaxK, where: str) -> Value:
    if module.k > x.width:
        raise ValueError(
            f"{where or 'MaxK'} must keep at most {x.width} entries, got k={module.k}."
        )
    magnitude = module.by == "magnitude"
    return builder.add(TopK((x.number,), where, k=module.k, magnitude=magnitude))


def _batch_norm(builder: Builder, x: Value, module: nn.BatchNorm1d, where: str) -> Value:
    assert module.running_var is not None and module.running_mean is not None
    scale = (module.running_var + module.eps).rsqrt()
    if module.weight is not None:
        scale = scale * module.weight
    shift = -module.running_mean * scale
    if module.bias is not None:
        shift = shift + module.bias
    return builder.bias(builder.scale(x, scale, where), shift, where)


def _dropout(x: Value, args: Any, kwargs: dict[str, Any]) -> Value:
    training = kwargs.get("training", args[2] if len(args) > 2 else True)
    if training:
        raise Unsupported("it drops units in evaluation mode too")
    return x


def _shape(builder: Builder, x: Value, function: Any, rest: Any) -> Any:
    shape = (builder.graph.num_nodes, x.width)
    if function is Tensor.size:
        return shape[rest[0]] if rest else torch.Size(shape)
    known = {"shape": torch.Size(shape), "dtype": builder.dtype, "device": builder.device}
    if rest[0] not in known:
        raise Unsupported(f"it reads {rest[0]!r} of features")
    return known[rest[0]]


def _sum(builder: Builder, a: Any, b: Any) -> Value:
    if isinstance(a, Value) and isinstance(b, Value):
        return builder.sum(a, b, "")
    value, number = (a, b) if isinstance(a, Value) else (b, a)
    return builder.bias(value, _per_channel(builder, value, number), "")


def _factor(builder: Builder, a: Any, b: Any) -> tuple[Value, Tensor] | None:
    if isinstance(a, Value) and isinstance(b, Value):
        return None
    value, number = (a, b) if isinstance(a, Value) else (b, a)
    return value, _per_channel(builder, value, number)


def _per_channel(builder: Builder, value: Value, number: Any) -> Tensor:
    given = torch.as_tensor(number, dtype=builder.dtype, device=builder.device).detach()
    if given.dim() > 1 and given.shape[:-1].numel() != 1:
        raise Unsupported("it combines features with numbers per node")
    return given.reshape(-1).expand(value.width).contiguous()


def _concat(builder: Builder, args: Any, kwargs: dict[str, Any]) -> Value:
    values = args[0] if args else kwargs["tensors"]
    dim = kwargs.get("dim", args[1] if len(args) > 1 else 0)
    if dim not in (1, -1) or not all(isinstance(value, Value) for value in values):
        raise Unsupported("it concatenates something else than channels")
    numbers = tuple(value.number for value in values)
    return builder.add(Concat(numbers, sizes=tuple(value.width for value in values)))


def _linear_function(
    builder: Builder, input: Value, weight: Tensor, bias: Tensor | None = None
) -> Value:
    return builder.linear(input, weight, bias, "")


def _activation_function(
    function: Callable[..., Any], args: Any, kwargs: dict[str, Any]
) -> tuple[str, dict[str, Any]] | None:
    name = getattr(function, "__name__", "").rstrip("_")
    if name not in ACTIVATIONS:
        return None
    keys = ACTIVATIONS[name][0]
    options = {**dict(zip(keys, args[1:], strict=False)), **kwargs}
    options.pop("inplace", None)
    return (name, options) if options.keys() <= set(keys) else None


def _opaque_module(
    builder: Builder, module: nn.Module, args: Any, kwargs: dict[str, Any], where: str
) -> Value:
    own = copy.deepcopy(module).eval().requires_grad_(False)
    return _opaque(builder, own, args, kwargs, where, own)


def _opaque(
    builder: Builder,
    function: Callable[..., Any],
    args: Any,
    kwargs: dict[str, Any],
    where: str,
    layer: nn.Module | None = None,
) -> Value:
    inputs: list[Value] = []

    def slot(item: Any) -> Any:
        if isinstance(item, Value):
            inputs.append(item)
            return Slot(len(inputs) - 1)
        return graph_argument(item, layer) if isinstance(item, Graph) else item

    template = fx.node.map_aggregate((tuple(args), dict(kwargs)), slot)

    by_row = function_by_row(function, args, kwargs) if layer is None else module_by_row(layer)
    return builder.opaque(OpaqueCall(function, template), inputs, where, by_row=by_row)


def _plain(builder: Builder, arguments: Any) -> Any:
    """Arguments as the model's author expects them: the graph as an `edge_index`."""
    return fx.node.map_aggregate(
        arguments, lambda item: item.edge_index if isinstance(item, Graph) else item
    )


def _holds_value(arguments: Any) -> bool:
    found = []
    fx.node.map_aggregate(arguments, lambda item: found.append(isinstance(item, Value)))
    return any(found)


__all__ = ["is_layer", "lower_function", "lower_module"]
