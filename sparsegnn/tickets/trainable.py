"""A ticket as a model that trains at the cost of what it keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from sparsegnn.compiler.plain import plain_copy
from sparsegnn.graph import Graph
from sparsegnn.tickets.masking import check_state
from sparsegnn.training.sparse_model import SparseModel
from sparsegnn.training.sparsify import sparsify

if TYPE_CHECKING:
    from sparsegnn.tickets.ticket import Ticket


def trainable(ticket: Ticket, model: nn.Module, graph: Graph, rewind: bool) -> SparseModel:
    """`Ticket.trainable`."""
    edges = ticket.edge_mask_for(graph)
    state = ticket.init_state if rewind else ticket.state
    plain = plain_copy(model)
    check_state(plain, state)
    plain.load_state_dict(state)
    return sparsify(plain, graph, edge_mask=edges, weight_masks=ticket.weight_masks)
