"""Reading the plain, masked network out of a ticket and a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sparsegnn.nn import GCN, GCNConv
from sparsegnn.tickets.errors import TicketError
from sparsegnn.tickets.masking import check_state, is_masked, masks_of, plain_state, unmasked_copy

if TYPE_CHECKING:
    from sparsegnn.tickets.ticket import Ticket


@dataclass(frozen=True)
class Network:
    """A GCN with the pruned weights at 0.

    Attributes:
        model: The plain model in evaluation mode; owned.
        convs: Its layers.
        weights: [out, in] per layer, pruned entries exactly 0.
        biases: [out] or None per layer.
    """

    model: GCN
    convs: tuple[GCNConv, ...]
    weights: list[Tensor]
    biases: list[Tensor | None]

    @property
    def widths(self) -> list[int]:
        """Features, hidden units, ..., outputs."""
        return [self.weights[0].shape[1], *(weight.shape[0] for weight in self.weights)]

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the weights."""
        return self.weights[0].dtype


def read_network(ticket: Ticket, model: GCN) -> Network:
    """Copies `model` with the ticket's weights, or its own when it carries the ticket's masks.

    Raises:
        TypeError: The model is no `sparsegnn.nn.GCN`, or is neither float32 nor float64.
        TicketError: Keys, shapes or masks differ, or a weight is not finite.
    """
    if not isinstance(model, GCN):
        raise TypeError(f"model must be a sparsegnn.nn.GCN, got {type(model).__name__}")
    plain = _plain_copy(ticket, model)
    convs = tuple(conv for conv in plain.convs if isinstance(conv, GCNConv))
    for conv in convs:
        conv._cached_norm = None
    weights = [conv.lin.weight.detach() for conv in convs]
    biases = [None if conv.bias is None else conv.bias.detach() for conv in convs]
    if weights[0].dtype not in (torch.float32, torch.float64):
        raise TypeError(f"model must be float32 or float64 to be compiled, got {weights[0].dtype}")
    for name, value in plain.named_parameters():
        if not bool(torch.isfinite(value).all()):
            raise TicketError(f"weights must be finite, {name!r} has NaN or infinity")
    return Network(plain, convs, weights, biases)


def _plain_copy(ticket: Ticket, model: GCN) -> GCN:
    if is_masked(model):
        _check_same_masks(ticket, model)
        state = plain_state(model)
    else:
        state = dict(ticket.state)
        for key, mask in ticket.weight_masks.items():
            state[key] = torch.where(mask.to_bool(), state[key], 0.0)
    plain = unmasked_copy(model)
    check_state(plain, state)
    plain.load_state_dict(state)
    return plain.eval().requires_grad_(False)


def _check_same_masks(ticket: Ticket, model: GCN) -> None:
    own = masks_of(model)
    if own.keys() != ticket.weight_masks.keys() or not all(
        torch.equal(keep.cpu(), ticket.weight_masks[key].to_bool()) for key, keep in own.items()
    ):
        raise TicketError(
            "model carries other masks than this ticket: apply the ticket to it first"
        )
