"""One epoch of UGS mask training: step, validation, snapshot."""

from __future__ import annotations

import torch

from bench.cases import OURS, Case
from bench.end_to_end.setting import Setting
from bench.harness import Run
from bench.peers.dense_ugs import DenseUgs
from bench.peers.edge_ugs import EdgeUgs
from bench.peers.gcn import GcnWeights
from sparsegnn.pruning import UGSConfig
from sparsegnn.pruning.kept import Kept
from sparsegnn.pruning.stage import MaskStage
from sparsegnn.pruning.subject import Subject
from sparsegnn.training import Split, fit


def case(setting: Setting) -> Case:
    """Epochs of the first round, all from fresh masks, on one thread."""
    weights = GcnWeights.random(setting.task)
    directed = {"pairs": "directed", "mask_targets": "train"}
    return Case(
        name="ugs-mask-epoch/cora",
        alternatives={
            OURS: _ours(setting, setting.config),
            f"{OURS}, training nodes and directed": _ours(
                setting, setting.config.model_copy(update=directed)
            ),
            "dense N x N": DenseUgs(setting.task, weights).epoch,
            "edge list in plain torch": EdgeUgs(setting.task, weights).epoch,
        },
        params={"data": "cora", "hidden": 512, "round": 1},
        threads=1,
        note="One thread, so that CPU time holds no spinning workers. Ours takes a snapshot of the "
        "masks in every epoch, the others only at a new best validation accuracy. The second row "
        "has the objective and the masks of the others; the first has the package's defaults.",
    )


def _ours(setting: Setting, config: UGSConfig) -> Run:
    subject = Subject.prepare(setting.model, setting.data, config, seed=0)
    stage = MaskStage(subject, Kept.everything(subject), _targets(setting, config))
    return lambda: fit(stage, setting.data, epochs=1)


def _targets(setting: Setting, config: UGSConfig) -> Split:
    """Rows of the loss; which labels they have does not matter for the time."""
    if config.mask_targets == "train":
        return Split.of(setting.data, "train")
    return Split(torch.arange(setting.data.num_nodes), setting.data.y)
