"""What every stage of one run starts from: model, rewind point, data and settings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from sparsegnn.graph import Graph
from sparsegnn.pruning.config import UGSConfig
from sparsegnn.pruning.edges import EdgeGroups
from sparsegnn.pruning.reference import ReferenceForward
from sparsegnn.pruning.weights import WeightSlots, maskable_slots
from sparsegnn.sparse_matrix import SparseMatrix
from sparsegnn.training import NodeTask, derive_seed, seeded

ModelFn = Callable[[], nn.Module]


@dataclass(frozen=True)
class Subject:
    """One run's fixed inputs.

    Attributes:
        model: called as ``model(x, graph, edge_weight)``; its own values are scratch space.
        start: the rewind point theta_0, a full state dict that nothing writes to.
        data: features, labels, split and the whole graph.
        config: settings of the run.
        seed: seed of the run.
        groups: edges of the whole graph that stay or go together.
        slots: every maskable parameter, unpruned.
    """

    model: nn.Module
    start: dict[str, Tensor]
    data: NodeTask
    config: UGSConfig
    seed: int
    groups: EdgeGroups
    slots: list[WeightSlots]

    @classmethod
    def prepare(cls, model_fn: ModelFn, data: NodeTask, config: UGSConfig, seed: int) -> Subject:
        """Build the model under the run's seed and check the data.

        Raises:
            TypeError: if ``model_fn`` does not return a module.
            ValueError: if features are not finite or no parameter is maskable.
        """
        _check_finite(data.x)
        with seeded(derive_seed(seed, 0, "init")):
            model = model_fn()
        if not isinstance(model, nn.Module):
            raise TypeError(f"model_fn must return a torch.nn.Module, got {type(model).__name__}")
        start = {name: value.detach().clone() for name, value in model.state_dict().items()}
        slots = maskable_slots(model, config.maskable)
        if config.reference:
            groups = EdgeGroups.every_edge(data.graph)
            return cls(ReferenceForward(model), start, data, config, seed, groups, slots)
        groups = EdgeGroups.of(data.graph, config.pairs)
        return cls(model, start, data, config, seed, groups, slots)

    def stage_seed(self, round: int, part: str) -> int:
        """Seed of one part of one round."""
        return derive_seed(self.seed, round, part)

    def rewind(self) -> None:
        """Put the model's own parameters and buffers back to theta_0."""
        self.model.load_state_dict(self.start)

    def call(
        self, weights: Mapping[str, Tensor], graph: Graph, edge_weight: Tensor | None
    ) -> Tensor:
        """Logits ``[N, C]`` of the model with ``weights`` in place of its own parameters."""
        arguments = (
            (self.data.x, graph) if edge_weight is None else (self.data.x, graph, edge_weight)
        )
        logits: Tensor = functional_call(self.model, dict(weights), arguments)
        return logits

    def data_sha256(self) -> str:
        """Hash of features, labels and split."""
        x = self.data.x
        tensors = [self.data.y, self.data.train_mask, self.data.val_mask, self.data.test_mask]
        tensors += [x.values, x.pattern.edge_index] if isinstance(x, SparseMatrix) else [x]
        return sha256_of(tensors)

    def start_sha256(self) -> str:
        """Hash of theta_0."""
        return sha256_of(list(self.start.values()))


def sha256_of(tensors: list[Tensor]) -> str:
    """Hex SHA-256 over dtypes, shapes and bytes."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _check_finite(x: Tensor | SparseMatrix) -> None:
    values = x.values if isinstance(x, SparseMatrix) else x
    if not bool(torch.isfinite(values).all()):
        raise ValueError("x must be finite, got NaN or infinity")
