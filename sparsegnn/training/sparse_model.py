"""A pruned model with its graph, as it is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sparsegnn.graph import Graph
from sparsegnn.nn import unconverted
from sparsegnn.nn.kept_linear import Form, KeptLinear
from sparsegnn.sparse_matrix import SparseMatrix

_INNER = "model."


@dataclass(frozen=True)
class MapReport:
    """One linear map.

    Attributes:
        name: State-dict key of the weight.
        shape: Of the weight.
        kept: Its kept entries, all of which are trained.
        computed: Outputs and inputs that take part.
        live: Kept entries that take part.
        dense_features: How dense features are multiplied.
        sparse_features: How sparse ones are.
    """

    name: str
    shape: tuple[int, int]
    kept: int
    computed: tuple[int, int]
    live: int
    dense_features: Form
    sparse_features: Form


@dataclass(frozen=True)
class SparsityReport:
    """What a sparse model trains, and how.

    Attributes:
        edges: Kept and all edges of the graph, without added loops.
        parameters: Trained numbers, and those of the plain model.
        maps: The linear maps with something pruned.
    """

    edges: tuple[int, int]
    parameters: tuple[int, int]
    maps: tuple[MapReport, ...]

    def __str__(self) -> str:
        lines = [
            f"{self.edges[0]} of {self.edges[1]} edges, "
            f"{self.parameters[0]} of {self.parameters[1]} parameters"
        ]
        for one in self.maps:
            shape, computed = ("{} x {}".format(*sizes) for sizes in (one.shape, one.computed))
            lines.append(
                f"{one.name}: {shape}, {one.kept} kept; computed {computed} with {one.live}, "
                f"dense features by {one.dense_features}, sparse ones by {one.sparse_features}"
            )
        return "\n".join(lines)


class SparseModel(nn.Module):
    """What `sparsify` returns: layers over kept weights, bound to the pruned graph.

    The state dict has the keys of the plain model but for pruned weights: instead of `KEY` there
    are `KEY.values`, the kept entries, and `KEY.index`, their positions.

    Attributes:
        model: The layers; any other graph may be given to them.
        graph: The pruned graph.
    """

    def __init__(self, model: nn.Module, graph: Graph, whole: Graph) -> None:
        super().__init__()
        self.model = model
        self.graph = graph
        self._whole_edges = whole.num_edges
        self._takes_edge_index = bool(unconverted(model))
        self.training = model.training
        self.register_state_dict_post_hook(_without_prefix)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_with_prefix)  # type: ignore[no-untyped-call]

    def forward(self, x: Tensor | SparseMatrix, *args: Any, **kwargs: Any) -> Any:
        """The model's result on the pruned graph.

        Args:
            x: Features `[N, F]`.
            args: What else the model takes after features and graph; values of edges are those of
                the kept ones, in the order of `graph`.
            kwargs: The same by name.
        """
        graph = self.graph.edge_index if self._takes_edge_index else self.graph
        return self.model(x, graph, *args, **kwargs)

    def to_dense_state(self) -> dict[str, Tensor]:
        """State dict of the plain model, a copy: pruned entries are 0.

        `plain.load_state_dict(sparse.to_dense_state())` is the way back, for the model that was
        given to `sparsify` or one like it.
        """
        maps = self._maps()
        state: dict[str, Tensor] = {}
        for key, value in self.model.state_dict().items():
            owner, _, name = key.rpartition(".")
            path = owner.removesuffix(".weight")
            if path == owner or path not in maps:
                state[key] = value.detach().clone()
            elif name == "values":
                state[owner] = maps[path].weight.to_dense().detach()
        return state

    def report(self) -> SparsityReport:
        """What is trained, and how."""
        maps = self._maps()
        parameters = sum(p.numel() for p in self.model.parameters())
        distinct = {id(lin): lin for lin in maps.values()}.values()
        pruned = sum(lin.weight.total - lin.weight.values.numel() for lin in distinct)
        return SparsityReport(
            (self.graph.num_edges, self._whole_edges),
            (parameters, parameters + pruned),
            tuple(
                MapReport(
                    f"{path}.weight", lin.weight.shape, lin.weight.values.numel(), lin.shape,
                    lin.num_live, lin.form_for(False), lin.form_for(True),
                )
                for path, lin in maps.items()
            ),
        )  # fmt: skip

    def _maps(self) -> dict[str, KeptLinear]:
        every = self.model.named_modules(remove_duplicate=False)
        return {path: lin for path, lin in every if isinstance(lin, KeptLinear)}

    def _apply(self, fn: Any, recurse: bool = True) -> SparseModel:
        self.graph = self.graph.to(fn(torch.empty(0, device=self.graph.device)).device)
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call, no-any-return]


def _without_prefix(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    _renamed(state, prefix + _INNER, prefix)


def _with_prefix(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    _renamed(state, prefix, prefix + _INNER)


def _renamed(state: dict[str, Any], old: str, new: str) -> None:
    """Replaces the beginning of keys, in place and in order."""
    items = list(state.items())
    state.clear()
    for key, value in items:
        state[new + key.removeprefix(old) if key.startswith(old) else key] = value
