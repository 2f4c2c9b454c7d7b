"""Reading the plain, masked network out of a ticket and a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sparsegnn.compiler.plain import plain_copy
from sparsegnn.nn import GCN
from sparsegnn.tickets.errors import TicketError
from sparsegnn.tickets.masking import check_state, is_masked, masks_of, plain_state

if TYPE_CHECKING:
    from sparsegnn.tickets.ticket import Ticket


def read_model(ticket: Ticket, model: GCN) -> GCN:
    """A plain copy of `model` with the ticket's weights, or its own when it carries its masks.

    It is in evaluation mode and has exact zeros at the pruned weights.

    Raises:
        TypeError: The model is no `sparsegnn.nn.GCN`, or is neither float32 nor float64.
        TicketError: Keys, shapes or masks differ, or a weight is not finite.
    """
    if not isinstance(model, GCN):
        raise TypeError(f"model must be a sparsegnn.nn.GCN, got {type(model).__name__}")
    plain = _plain_copy(ticket, model)
    for conv in plain.convs:
        conv._cached_norm = None  # type: ignore[assignment]
    for name, value in plain.named_parameters():
        if value.dtype not in (torch.float32, torch.float64):
            raise TypeError(f"model must be float32 or float64 to be compiled, got {value.dtype}")
        if not bool(torch.isfinite(value).all()):
            raise TicketError(f"weights must be finite, {name!r} has NaN or infinity")
    return plain


def _plain_copy(ticket: Ticket, model: GCN) -> GCN:
    if is_masked(model):
        _check_same_masks(ticket, model)
        state = plain_state(model)
    else:
        state = dict(ticket.state)
        for key, mask in ticket.weight_masks.items():
            state[key] = torch.where(mask.to_bool(), state[key], 0.0)
    plain = plain_copy(model)
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
