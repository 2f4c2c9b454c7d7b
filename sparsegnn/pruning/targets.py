"""What masks are trained on."""

from __future__ import annotations

import torch

from sparsegnn.pruning.subject import Subject
from sparsegnn.tickets import Ticket
from sparsegnn.training import Split


def mask_targets(subject: Subject, dense: Ticket) -> Split:
    """Rows and labels of the mask stage's cross-entropy, by ``config.mask_targets``.

    "train" gives the training nodes with their labels. "predicted" gives every node, labelled by
    the trained dense model unless it is a training node; no other label is read. On training
    nodes alone the network can fit a label from the node's own features, and cutting the node
    off then lowers the loss: edges are removed where supervision enters the graph.

    Args:
        subject: the run.
        dense: its ticket of round 0.
    """
    train = Split.of(subject.data, "train")
    if subject.config.mask_targets == "train":
        return train
    model, graph = subject.model, subject.data.graph
    model.load_state_dict(dense.state)
    model.eval()
    with torch.no_grad():
        labels = subject.call({}, graph, None).argmax(dim=1)
    labels[train.rows] = train.labels
    return Split(torch.arange(graph.num_nodes, device=labels.device), labels)
