"""Turns a pruned model into one that trains at the cost of what is kept."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from sparsegnn.compiler.plain import plain_copy
from sparsegnn.graph import Graph
from sparsegnn.mask import Mask
from sparsegnn.nn import GCNConv, convert
from sparsegnn.nn.kept_linear import Form, KeptLinear
from sparsegnn.nn.projection import is_plain
from sparsegnn.training.layer_flow import Channels, flow_of, live_channels
from sparsegnn.training.sparse_model import SparseModel

Masks = Mapping[str, Mask | Tensor]


def sparsify(
    model: nn.Module,
    graph: Graph,
    *,
    edge_mask: Mask | Tensor | None = None,
    weight_masks: Masks | None = None,
    form: Form | None = None,
) -> SparseModel:
    """A copy of a pruned model that is trained where it is pruned, on the graph that is left.

    The layers of PyG become ours. Every linear map with pruned weights keeps one parameter, the
    vector of its kept entries, so that gradients and optimizer state exist for these alone, and is
    computed from a dense matrix or over the kept entries, whichever is faster (`KeptLinear`).
    Units that no kept weight reads are not computed, where the forward pass shows that nothing else
    depends on them. What is trained is what training with the masks multiplied in gives, to
    rounding, with any optimizer that treats entries one by one; units that are left out have
    gradients of exactly zero there. Dropout draws other masks.

    Args:
        model: A model of PyG or of this package, called as `model(x, graph)`; not changed.
        graph: The whole graph.
        edge_mask: bool `[E]` or `Mask` in its edge order: edges to keep.
        weight_masks: Kept entries by state-dict key of a linear map's weight; weights without one
            are kept whole. By default the non-zero entries of every linear map are kept.
        form: "dense" or "csr" for all linear maps instead of a choice for each.

    Returns:
        A module `f(x) -> output`; `to_dense_state` gives the weights back to the plain model.

    Raises:
        TypeError: An argument has a wrong type.
        ValueError: A mask does not fit; the message names it.

    Warns:
        UserWarning: A linear layer with hooks, or of a class of its own, has zeros: they are
            trained like all of its weights.
    """
    _check(model, graph)
    plain = convert(plain_copy(model))
    for module in plain.modules():
        if isinstance(module, GCNConv):
            module._cached_norm = None
    maps = _linear_maps(plain)
    keep = _masks(plain, maps, weight_masks)
    live = {id(maps[path]): part for path, part in _live(plain, keep).items()}
    known: dict[int, KeptLinear] = {}
    for path, lin in maps.items():
        part = live.get(id(lin), Channels())
        if part.rows is None and part.cols is None and bool(keep[path].all()):
            continue
        if id(lin) not in known:
            known[id(lin)] = _kept(lin, keep[path], part, form)
        _replace(plain, path, known[id(lin)])
    return SparseModel(plain, graph if edge_mask is None else graph.select(edge_mask), graph)


def _check(model: Any, graph: Any) -> None:
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}.")
    if not isinstance(graph, Graph):
        raise TypeError(
            f"graph must be a Graph, got {type(graph).__name__}: Graph.from_edge_index makes one."
        )
    if any(isinstance(module, KeptLinear) for module in model.modules()):
        raise ValueError("model must be a plain one, got one that is sparse already.")
    for name, parameter in model.named_parameters():
        if isinstance(parameter, UninitializedParameter):
            raise ValueError(
                f"model must know its sizes, got a lazy {name!r}: call it once before."
            )


def _linear_maps(model: nn.Module) -> dict[str, Any]:
    """Linear maps by path; one that has two paths is there under both."""
    found = {p: m for p, m in model.named_modules(remove_duplicate=False) if is_plain(m)}
    owners: dict[int, Any] = {}
    for path, lin in found.items():
        if owners.setdefault(id(lin.weight), lin) is not lin:
            raise ValueError(f"model must not share weights between layers, got {path!r} twice.")
    return found


def _masks(model: nn.Module, maps: dict[str, Any], given: Masks | None) -> dict[str, Tensor]:
    """Bool `[out, in]` of every linear map."""
    if given is None:
        _warn_of_zeros(model, maps)
        return {path: lin.weight.detach().ne(0) for path, lin in maps.items()}
    found: dict[int, Tensor] = {}
    for key, mask in given.items():
        lin = maps.get(key.removesuffix(".weight")) if key.endswith(".weight") else None
        if lin is None:
            raise ValueError(f"weight_masks must name weights of linear maps, got {key!r}.")
        found[id(lin)] = _checked(key, mask, lin.weight)
    whole = {p: torch.ones_like(lin.weight, dtype=torch.bool) for p, lin in maps.items()}
    return {path: found.get(id(lin), whole[path]) for path, lin in maps.items()}


def _warn_of_zeros(model: nn.Module, maps: dict[str, Any]) -> None:
    known = {id(lin) for lin in maps.values()}
    named = [
        path
        for path, module in model.named_modules()
        if _is_linear(module)
        and id(module) not in known
        and bool(module.weight.detach().eq(0).any())
    ]
    if named:
        warnings.warn(
            f"zeros in {', '.join(map(repr, named))} are trained like other weights, as a linear "
            "layer with hooks or of a class of its own stays whole",
            UserWarning,
            stacklevel=4,
        )


def _is_linear(module: Any) -> bool:
    """Whether it looks like a linear map, of whatever class."""
    sized = hasattr(module, "in_features") or hasattr(module, "in_channels")
    weight = getattr(module, "weight", None)
    return sized and isinstance(weight, Tensor) and weight.dim() == 2


def _checked(key: str, mask: Mask | Tensor, weight: Tensor) -> Tensor:
    keep = mask.to_bool() if isinstance(mask, Mask) else mask
    if not isinstance(keep, Tensor) or keep.dtype != torch.bool or keep.shape != weight.shape:
        shape = f" of shape {list(keep.shape)}" if isinstance(keep, Tensor) else ""
        kind = keep.dtype if isinstance(keep, Tensor) else type(keep).__name__
        raise ValueError(
            f"weight_masks must be bool of the shapes of the weights, got {kind}{shape} for "
            f"{key!r}, which has {list(weight.shape)}."
        )
    return keep.to(weight.device)


def _live(model: nn.Module, keep: dict[str, Tensor]) -> dict[str, Channels]:
    """Channels that take part, of the maps of which that is known; sets the layers' widths."""
    flow = flow_of(model)
    if flow is None or any(path not in keep for stage in flow.stages for path in stage.maps):
        return {}
    live = live_channels(flow, keep)
    for stage in flow.stages:
        cols = live[stage.maps[0]].cols
        if stage.owner is not None and cols is not None:
            layer: Any = model.get_submodule(stage.owner)
            pair = isinstance(layer.in_channels, tuple)
            layer.in_channels = (cols.numel(),) * 2 if pair else cols.numel()
    return live


def _kept(lin: Any, keep: Tensor, part: Channels, form: Form | None) -> KeptLinear:
    """The map over its kept entries, with the mode of the one whose place it takes."""
    kept = KeptLinear(lin.weight, keep, lin.bias, rows=part.rows, cols=part.cols, form=form)
    kept.weight.values.requires_grad_(lin.weight.requires_grad)
    return kept.train(lin.training)


def _replace(model: nn.Module, path: str, module: nn.Module) -> None:
    owner, _, name = path.rpartition(".")
    model.get_submodule(owner)._modules[name] = module
