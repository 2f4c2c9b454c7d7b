"""`Ticket`: the masks, the rewind point and the trained weights of one pruning run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn

from sparsegnn._json import Json
from sparsegnn.graph import Graph
from sparsegnn.mask import Mask
from sparsegnn.tickets.errors import TicketError

if TYPE_CHECKING:
    from sparsegnn.compiler.compiled import CompiledModel
    from sparsegnn.data import NodeDataset
    from sparsegnn.nn import GCN
    from sparsegnn.sparse_matrix import SparseMatrix
    from sparsegnn.tickets.sparsity import Sparsity
    from sparsegnn.training.sparse_model import SparseModel

Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True, eq=False)
class Ticket:
    """A subgraph and a subnetwork found by a pruner, with all that is needed to use them.

    Tensors are copied to contiguous CPU memory on construction, so a ticket never aliases a live
    model. Two tickets are the same when `sha256()` agrees; keep clock readings out of `metrics` if
    runs are to be compared that way.

    Attributes:
        edge_mask: Kept edges [E], in the order of `Graph.canonical_order()`: sorted by (target,
            source). `edge_mask_for(graph)` has them in the order of a graph.
        weight_masks: Kept entries per state-dict key; a key that is absent is not masked.
        init_state: State dict of the rewind point.
        state: State dict of the trained ticket; same keys and shapes as `init_state`.
        graph_fingerprint: `Graph.fingerprint()` of the whole graph.
        method: Name of the pruner.
        config: Its settings.
        metrics: What it measured (accuracies, best epoch, ...).
        seed: Seed of the run.
        round: Pruning round, 0 for a dense model.
    """

    edge_mask: Mask
    weight_masks: dict[str, Mask]
    init_state: dict[str, Tensor]
    state: dict[str, Tensor]
    graph_fingerprint: str
    method: str
    config: dict[str, Json]
    metrics: dict[str, Json]
    seed: int
    round: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "init_state", _owned("init_state", self.init_state))
        object.__setattr__(self, "state", _owned("state", self.state))
        _check_masks(self.edge_mask, self.weight_masks, self.state)
        _check_same_layout(self.init_state, self.state)
        if type(self.seed) is not int or type(self.round) is not int or self.round < 0:
            raise TicketError(
                f"seed and round must be whole numbers, round >= 0, got {self.seed!r}, "
                f"{self.round!r}"
            )

    @classmethod
    def for_graph(
        cls,
        graph: Graph,
        *,
        edge_mask: Mask,
        weight_masks: dict[str, Mask],
        init_state: dict[str, Tensor],
        state: dict[str, Tensor],
        method: str,
        config: dict[str, Json],
        metrics: dict[str, Json],
        seed: int,
        round: int,
    ) -> Ticket:
        """Makes a ticket for `graph` from an `edge_mask` in the graph's own edge order.

        Raises:
            TicketError: `edge_mask` does not have one bit per edge, or masks and states disagree.
        """
        if tuple(edge_mask.shape) != (graph.num_edges,):
            raise TicketError(
                f"edge_mask must have shape ({graph.num_edges},), got {tuple(edge_mask.shape)}"
            )
        order = graph.canonical_order().cpu()
        return cls(
            edge_mask=Mask.from_bool(edge_mask.to_bool().cpu()[order]),
            weight_masks=weight_masks,
            init_state=init_state,
            state=state,
            graph_fingerprint=graph.fingerprint(),
            method=method,
            config=config,
            metrics=metrics,
            seed=seed,
            round=round,
        )

    def save(self, path: str | Path) -> None:
        """Writes the ticket file (docs/ticket-format.md): temporary name, fsync, rename.

        Raises:
            OSError: The file could not be written; an older file at `path` is untouched.
            TicketError: `config` or `metrics` hold something that JSON cannot express.
        """
        from sparsegnn.tickets import codec, container

        container.write(Path(path), codec.encode(self)[0])

    @classmethod
    def load(cls, path: str | Path) -> Ticket:
        """Reads a ticket file; nothing in it is executed or unpickled.

        Raises:
            OSError: The file cannot be read.
            TicketError: The file is truncated, foreign, of a newer version, altered, or its masks
                and tensors do not fit together.
        """
        from sparsegnn.tickets import codec

        return codec.decode(Path(path))

    def sha256(self) -> str:
        """Hex digest of the content; equals the one that the saved file carries."""
        from sparsegnn.tickets import codec

        return codec.encode(self)[1]

    def verify(self, graph: Graph) -> None:
        """Checks that the ticket was made for `graph`.

        Raises:
            TicketError: The graph has other nodes or edges.
        """
        if self.edge_mask.numel != graph.num_edges:
            raise TicketError(
                f"ticket is for a graph with {self.edge_mask.numel} edges, "
                f"this one has {graph.num_edges}"
            )
        if graph.fingerprint() != self.graph_fingerprint:
            raise TicketError(
                f"ticket is for the graph with fingerprint {self.graph_fingerprint[:12]}, "
                f"this one has {graph.fingerprint()[:12]}"
            )

    def edge_mask_for(self, graph: Graph) -> Mask:
        """The kept edges in the edge order of `graph`, whatever that is, after `verify`."""
        self.verify(graph)
        keep = torch.empty(graph.num_edges, dtype=torch.bool)
        keep[graph.canonical_order().cpu()] = self.edge_mask.to_bool().cpu()
        return Mask.from_bool(keep)

    def prune(self, graph: Graph) -> Graph:
        """Returns `graph` without the pruned edges, after `verify`."""
        return graph.select(self.edge_mask_for(graph))

    def sparsity(self, graph: Graph | None = None) -> Sparsity:
        """Sparsity on every base.

        Args:
            graph: The ticket's graph, for undirected pairs and self loops; without it those are
                None.
        """
        from sparsegnn.tickets.sparsity import sparsity

        return sparsity(self, graph)

    def apply(self, model: Model, *, rewind: bool = False) -> Model:
        """Loads the ticket's weights into `model` and masks them; the model stays trainable.

        Pruned entries are exactly 0 in every forward pass and receive exactly 0 gradient.

        Args:
            model: A model with exactly the state-dict keys and shapes of the ticket; changed in
                place.
            rewind: Load `init_state` instead of `state`.

        Returns:
            The same model.

        Raises:
            TicketError: Keys or shapes differ, or the model is masked already; it is then
                unchanged.
        """
        from sparsegnn.tickets.masking import apply_masks

        return apply_masks(model, self.init_state if rewind else self.state, self.weight_masks)

    def trainable(self, model: nn.Module, graph: Graph, *, rewind: bool = False) -> SparseModel:
        """A copy of `model` with the ticket's weights that trains at the cost of what is kept.

        `sparsegnn.training.sparsify` with the ticket's masks: one vector of kept entries for every
        masked weight, on the graph without the pruned edges.

        Args:
            model: The architecture, of this package or of PyG; its weights are not used.
            graph: The whole graph.
            rewind: Start from the rewind point instead of the trained weights.

        Returns:
            A module `f(x) -> output`; `to_dense_state()` gives a state dict for `model`.

        Raises:
            TicketError: Graph or model are not the ticket's.
            ValueError: The ticket masks something that is no weight of a linear map.
        """
        from sparsegnn.tickets.trainable import trainable

        return trainable(self, model, graph, rewind)

    def compile(
        self,
        model: GCN,
        data: NodeDataset | tuple[Tensor | SparseMatrix, Graph],
        tune: bool = True,
        *,
        nodes: Tensor | None = None,
        reorder: str | None = None,
        fixed_features: bool = False,
    ) -> CompiledModel:
        """Builds the fast program: pruned edges, weights and dead units are removed.

        Args:
            model: The architecture. A model that carries this ticket's masks (from `apply`) gives
                its current weights; any other model gets the ticket's.
            data: The dataset, or (features [N, F], whole graph).
            tune: Measure the candidate plans; else take the one with the fewest operations.
            nodes: The nodes whose logits are wanted, as int64 indices in any order, also repeated,
                or as a bool mask [N]; None for all.
            reorder: "degree", "rcm" or "metis": an order of the nodes inside, dropped where it is
                measured to be no faster.
            fixed_features: The program takes no other features; what depends on them and the graph
                alone may be computed here and stored, where that is faster.

        Returns:
            A module `f(x=None) -> logits [N, C]`, or those of `nodes` in their order, with
            `report()`. It is never slower than the dense model when measured: it falls back to
            that, and the report says so.

        Raises:
            TicketError: Graph or model are not the ticket's.
            TypeError: nodes are neither indices nor a mask.
            ValueError: Features or nodes have a wrong shape, or features are not finite.
        """
        from sparsegnn.tickets.compile import compile_ticket

        return compile_ticket(
            self,
            model,
            data,
            tune=tune,
            nodes=nodes,
            reorder=reorder,
            fixed_features=fixed_features,
        )


def _owned(name: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    for key, value in state.items():
        if not isinstance(value, Tensor) or value.layout != torch.strided:
            raise TicketError(f"{name}[{key!r}] must be a dense tensor, got {type(value).__name__}")
    return {
        key: value.detach().to(device="cpu", copy=True).contiguous() for key, value in state.items()
    }


def _check_masks(edge_mask: Mask, weight_masks: dict[str, Mask], state: dict[str, Tensor]) -> None:
    if len(edge_mask.shape) != 1:
        raise TicketError(f"edge_mask must have shape [E], got {tuple(edge_mask.shape)}")
    for key, mask in weight_masks.items():
        if key not in state:
            raise TicketError(f"weight_masks has {key!r}, which state lacks")
        if tuple(mask.shape) != tuple(state[key].shape):
            raise TicketError(
                f"weight_masks[{key!r}] has shape {tuple(mask.shape)}, "
                f"state has {tuple(state[key].shape)}"
            )
        if mask.numel != math.prod(mask.shape):
            raise TicketError(f"weight_masks[{key!r}] has {mask.numel} bits for its shape")


def _check_same_layout(init_state: dict[str, Tensor], state: dict[str, Tensor]) -> None:
    if init_state.keys() != state.keys():
        odd = sorted(init_state.keys() ^ state.keys())
        raise TicketError(
            f"init_state and state must have the same keys, {odd[0]!r} is in one only"
        )
    for key, value in state.items():
        first = init_state[key]
        if first.shape != value.shape or first.dtype != value.dtype:
            raise TicketError(
                f"init_state[{key!r}] is {first.dtype} {tuple(first.shape)}, "
                f"state has {value.dtype} {tuple(value.shape)}"
            )
