"""The Cora GCN of every end-to-end benchmark."""

from __future__ import annotations

from dataclasses import dataclass

import sparsegnn as sg
from bench.inputs import NodeTask, node_task
from bench.peers.gcn import GcnWeights
from sparsegnn.data import NodeDataset, load_dataset
from sparsegnn.pruning import UGSConfig

HIDDEN = 512
DROPOUT = 0.5
ROUNDS_TO_TICKET = 4


@dataclass(frozen=True)
class Setting:
    """Data, as the package and as plain tensors hold it, and the settings of the search."""

    data: NodeDataset
    task: NodeTask
    config: UGSConfig

    @classmethod
    def cora(cls) -> Setting:
        """Cora with row-normalised features and the published settings."""
        data = load_dataset("cora").row_normalized()
        return cls(data, node_task("cora"), UGSConfig.for_dataset("cora"))

    def model(self) -> sg.nn.GCN:
        """A freshly initialised two-layer GCN without biases."""
        features = int(self.task.x.shape[1])
        return sg.nn.GCN(features, HIDDEN, 2, self.task.num_classes, dropout=DROPOUT, bias=False)


def load_weights(model: sg.nn.GCN, weights: GcnWeights) -> sg.nn.GCN:
    """Put the weights into the model and give it back."""
    model.load_state_dict(
        {"convs.0.lin.weight": weights.first, "convs.1.lin.weight": weights.second}
    )
    return model
