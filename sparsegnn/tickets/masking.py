"""Masked, trainable weights through `torch.nn.utils.parametrize`."""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from sparsegnn.mask import Mask
from sparsegnn.tickets.errors import TicketError

Model = TypeVar("Model", bound=nn.Module)


class MaskedWeight(nn.Module):
    """Parametrisation that keeps only the surviving entries of a weight as its parameter, [K].

    The weight has exactly 0 at pruned entries and the memory layout that it had before; gradients
    and optimiser state exist for the K survivors alone.

    Args:
        keep: bool, shape of the weight.
        weight: The weight, for its layout and device.
    """

    index: Tensor

    def __init__(self, keep: Tensor, weight: Tensor) -> None:
        super().__init__()
        self.shape = tuple(keep.shape)
        self.input_major = weight.dim() == 2 and not weight.is_contiguous()
        stored = self._stored(keep.to(weight.device)).reshape(-1)
        self.register_buffer("index", stored.nonzero().squeeze(1))

    def forward(self, values: Tensor) -> Tensor:
        """Returns the weight with `values` [K] in place and 0 elsewhere."""
        flat = values.new_zeros(math.prod(self.shape)).index_copy_(0, self.index, values)
        return self._stored(flat.view(self._stored_shape()))

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Returns the surviving entries [K] of an assigned weight."""
        return self._stored(weight).reshape(-1)[self.index]

    def keep(self) -> Tensor:
        """Bool of the weight's shape."""
        flat = torch.zeros(math.prod(self.shape), dtype=torch.bool, device=self.index.device)
        flat[self.index] = True
        return self._stored(flat.view(self._stored_shape()))

    def _stored(self, weight: Tensor) -> Tensor:
        return weight.t() if self.input_major else weight

    def _stored_shape(self) -> tuple[int, ...]:
        return self.shape[::-1] if self.input_major else self.shape


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
        masked = MaskedWeight(masks[key].to_bool(), getattr(owner, name))
        parametrize.register_parametrization(owner, name, masked)
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
        for name in _masked_names(module):
            key = f"{prefix}.{name}" if prefix else name
            state[key] = getattr(module, name).detach()
    return state


def masks_of(model: nn.Module) -> dict[str, Tensor]:
    """Boolean keep tensors of a masked model, by plain state-dict key."""
    marker = "parametrizations."
    return {
        name.replace(marker, "", 1).rsplit(".", 1)[0]: module.keep()
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


def _masked_names(module: nn.Module) -> list[str]:
    parametrizations = module.parametrizations
    assert isinstance(parametrizations, nn.ModuleDict)
    return list(parametrizations)


def _owner(model: nn.Module, key: str) -> tuple[nn.Module, str]:
    path, _, name = key.rpartition(".")
    owner = model.get_submodule(path)
    if not isinstance(getattr(owner, name, None), nn.Parameter):
        raise TicketError(f"weight_masks names {key!r}, which is no parameter of the model")
    return owner, name
