"""Masked, trainable weights through `torch.nn.utils.parametrize`."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from sparsegnn.mask import Mask
from sparsegnn.tickets.errors import TicketError

Model = TypeVar("Model", bound=nn.Module)


class MaskedWeight(nn.Module):
    """Parametrisation that holds the pruned entries of a weight at exactly 0.

    The gradient of a pruned entry is exactly 0, and a NaN stored there never shows. The mask is a
    buffer `keep` (bool, shape of the weight, and its memory layout, so that the masked weight has
    it too).
    """

    keep: Tensor

    def __init__(self, keep: Tensor) -> None:
        super().__init__()
        self.register_buffer("keep", keep)

    def forward(self, weight: Tensor) -> Tensor:
        """Returns `weight` with pruned entries set to 0."""
        return torch.where(self.keep, weight, 0.0)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Returns the stored value for an assigned weight: the same, with pruned entries at 0."""
        return torch.where(self.keep, weight, 0.0)


def apply_masks(model: Model, state: dict[str, Tensor], masks: dict[str, Mask]) -> Model:
    """Loads `state` into `model` and masks the parameters named in `masks`.

    Args:
        model: Changed in place.
        state: Exactly the model's state-dict keys and shapes.
        masks: Masks by state-dict key.

    Returns:
        The same model.

    Raises:
        TicketError: Keys or shapes differ, a masked key is no parameter, or the model is masked
            already; the model is then unchanged.
    """
    if is_masked(model):
        raise TicketError("model is masked already: apply a ticket to a plain model")
    check_state(model, state)
    owners = {key: _owner(model, key) for key in masks}
    model.load_state_dict(state)
    for key, (owner, name) in owners.items():
        parameter = getattr(owner, name)
        keep = torch.empty_like(parameter, dtype=torch.bool).copy_(masks[key].to_bool())
        parametrize.register_parametrization(owner, name, MaskedWeight(keep))
    return model


def is_masked(model: nn.Module) -> bool:
    """Whether some parameter of `model` is held by a `MaskedWeight`."""
    return any(isinstance(module, MaskedWeight) for module in model.modules())


def plain_state(model: nn.Module) -> dict[str, Tensor]:
    """State dict with the keys of the unmasked model and the pruned entries at 0."""
    state = {
        key: value
        for key, value in model.state_dict().items()
        if ".parametrizations." not in f".{key}"
    }
    for prefix, module in model.named_modules():
        if not parametrize.is_parametrized(module):
            continue
        for name in module.parametrizations:
            key = f"{prefix}.{name}" if prefix else name
            state[key] = getattr(module, name).detach()
    return state


def masks_of(model: nn.Module) -> dict[str, Tensor]:
    """Boolean keep tensors of a masked model, by plain state-dict key."""
    marker = "parametrizations."
    return {
        name.replace(marker, "", 1).rsplit(".", 1)[0]: module.keep
        for name, module in model.named_modules()
        if isinstance(module, MaskedWeight)
    }


def check_state(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Checks that `state` has exactly the keys and shapes of `model`.

    Raises:
        TicketError: It does not.
    """
    own = model.state_dict()
    if own.keys() != state.keys():
        odd = sorted(own.keys() ^ state.keys())[0]
        where = "ticket" if odd in own else "model"
        raise TicketError(f"ticket does not fit the model: the {where} lacks {odd!r}")
    for key, value in state.items():
        if own[key].shape != value.shape:
            raise TicketError(
                f"ticket does not fit the model: {key!r} has shape {tuple(value.shape)}, "
                f"the model has {tuple(own[key].shape)}"
            )


def _owner(model: nn.Module, key: str) -> tuple[nn.Module, str]:
    path, _, name = key.rpartition(".")
    owner = model.get_submodule(path)
    if not isinstance(getattr(owner, name, None), nn.Parameter):
        raise TicketError(f"weight_masks names {key!r}, which is no parameter of the model")
    return owner, name
