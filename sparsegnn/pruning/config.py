"""Settings of a UGS search."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

PRESETS: dict[str, dict[str, float]] = {
    "cora": {"lr": 0.008, "weight_decay": 8e-5, "graph_l1": 1e-2, "weight_l1": 1e-2},
    "citeseer": {"lr": 0.01, "weight_decay": 5e-4, "graph_l1": 1e-2, "weight_l1": 1e-2},
    "pubmed": {"lr": 0.01, "weight_decay": 5e-4, "graph_l1": 1e-6, "weight_l1": 1e-3},
}
"""Published GCN settings of Chen et al., 2021 (arXiv 2102.06790), by dataset."""


class UGSConfig(BaseModel):
    """Settings of a UGS search; frozen, and every unknown key is an error.

    Attributes:
        rounds: pruning rounds after the dense round 0.
        graph_rate: share of the remaining edges (pairs) that a round removes.
        weight_rate: share of the remaining maskable weights that a round removes.
        mask_epochs: epochs that train masks and weights together.
        train_epochs: epochs that train the rewound ticket, and the dense model.
        lr: Adam learning rate of the weights.
        weight_decay: L2 coefficient added to the gradient of the weights.
        graph_l1: L1 coefficient of the edge masks.
        weight_l1: L1 coefficient of the weight masks.
        mask_lr: learning rate of the masks; None takes ``lr``.
        mask_weight_decay: L2 coefficient of the masks; None takes ``weight_decay``.
        pairs: "undirected" gives both directions of an edge one mask, so that they stay or go
            together; "directed" gives every stored edge its own.
        mask_targets: what masks are trained on. "train": the labels of the training nodes, as
            published; edges more than two layers away from them then have no gradient at all.
            "predicted": every node, with the dense model's prediction as the label of those
            outside the training set.
        maskable: shell pattern over parameter names; matching parameters are masked and pruned.
        reference: reproduce the arithmetic of the published code instead (see
            ``sparsegnn.pruning.reference``); needs, and defaults to, ``pairs="directed"`` and
            ``mask_targets="train"``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    rounds: int = Field(default=20, ge=1)
    graph_rate: float = Field(default=0.05, ge=0.0, lt=1.0)
    weight_rate: float = Field(default=0.20, ge=0.0, lt=1.0)
    mask_epochs: int = Field(default=200, ge=1)
    train_epochs: int = Field(default=200, ge=1)
    lr: float = Field(default=0.008, gt=0.0, allow_inf_nan=False)
    weight_decay: float = Field(default=8e-5, ge=0.0, allow_inf_nan=False)
    graph_l1: float = Field(default=1e-2, ge=0.0, allow_inf_nan=False)
    weight_l1: float = Field(default=1e-2, ge=0.0, allow_inf_nan=False)
    mask_lr: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    mask_weight_decay: float | None = Field(default=None, ge=0.0, allow_inf_nan=False)
    pairs: Literal["undirected", "directed"] = "undirected"
    mask_targets: Literal["train", "predicted"] = "predicted"
    maskable: str = "*.lin.weight"
    reference: bool = False

    @model_validator(mode="before")
    @classmethod
    def _reference_is_directed(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("reference") is True:
            return {"pairs": "directed", "mask_targets": "train", **values}
        return values

    @model_validator(mode="after")
    def _reference_is_plain(self) -> UGSConfig:
        if not self.reference:
            return self
        if self.pairs != "directed" or self.mask_targets != "train":
            raise ValueError(
                "pairs must be 'directed' and mask_targets 'train' with reference=True, "
                f"got {self.pairs!r} and {self.mask_targets!r}"
            )
        if self.mask_lr is not None or self.mask_weight_decay is not None:
            raise ValueError(
                "mask_lr and mask_weight_decay must be None with reference=True, "
                f"got {self.mask_lr} and {self.mask_weight_decay}"
            )
        return self

    @classmethod
    def for_dataset(cls, name: str, **overrides: Any) -> UGSConfig:
        """Published settings for "cora", "citeseer" or "pubmed", with overrides.

        Raises:
            ValueError: if there are no published settings for ``name``.
        """
        if name not in PRESETS:
            raise ValueError(f"name must be one of {sorted(PRESETS)}, got {name!r}")
        return cls(**{**PRESETS[name], **overrides})
