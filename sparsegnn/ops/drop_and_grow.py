"""Mask updates of dynamic sparse training, in place."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sparsegnn.ops._library import call, register_fake
from sparsegnn.ops._typed import check_tensor, typed


@typed
def drop_and_grow_(
    mask: Tensor,
    weight: Tensor,
    state: Sequence[Tensor],
    grow_score: Tensor,
    k: int,
    *,
    drop_score: Tensor | None = None,
    init: Tensor | None = None,
    magnitude: bool = False,
    regrow: bool = True,
) -> None:
    """Drops the k active weights with the smallest score and grows k inactive ones, in place.

    Scores are ranked in the order of `topk_mask`: of equal scores the lowest position ranks higher
    (it stays, or is grown first), and NaN ranks below every number. k is lowered to the number of
    active weights and, without `regrow`, of inactive ones: the number of active weights never
    changes. Dropped weights and their states become 0; grown weights start at 0 or at `init` with
    states 0. Nothing else is written. The same result on every device and any thread count; no
    synchronisation with the device.

    Args:
        mask: bool or uint8, the shape of weight: what is active.
        weight: float32, float64, float16 or bfloat16.
        state: The optimizer's tensors of this weight (`exp_avg`, `momentum_buffer`, ...).
        grow_score: The shape and dtype of weight.
        k: How many to exchange, between 0 and the number of weights.
        drop_score: The shape and dtype of weight; by default |weight|.
        init: Values of the grown weights, the shape and dtype of weight; by default 0.
        magnitude: Rank |drop_score| and |grow_score|, as for gradients.
        regrow: What this call drops may grow again, as in RigL (Evci et al., "Rigging the Lottery",
            ICML 2020); such a weight is left as it was, with its states.

    Raises:
        ValueError: A shape, dtype, device or k does not fit, or a tensor is not contiguous.
        TypeError: k is not an int.
    """
    if isinstance(k, bool) or not isinstance(k, int):
        raise TypeError(f"k must be an int, got {type(k).__name__}.")
    _check_alike(weight, {"mask": mask, "grow_score": grow_score})
    _check_alike(weight, {"drop_score": drop_score, "init": init})
    for tensor in state:
        _check_alike(weight, {"state": tensor})
    with torch.no_grad():
        call(
            torch.ops.sparsegnn.drop_and_grow_.default,
            mask,
            weight.detach(),
            list(state),
            None if drop_score is None else drop_score.detach().contiguous(),
            grow_score.detach().contiguous(),
            None if init is None else init.detach().contiguous(),
            k,
            magnitude,
            regrow,
        )


def _check_alike(weight: Tensor, tensors: dict[str, Tensor | None]) -> None:
    """The native operator compares sizes; shapes are compared here."""
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        check_tensor(name, tensor, weight.device)
        if tensor.shape != weight.shape:
            raise ValueError(
                f"{name} must have the shape of weight, {list(weight.shape)}, got "
                f"{list(tensor.shape)}."
            )


@register_fake("sparsegnn::drop_and_grow_")
def _drop_and_grow_fake(
    mask: Tensor,
    weight: Tensor,
    state: list[Tensor],
    drop_score: Tensor | None,
    grow_score: Tensor,
    init: Tensor | None,
    k: int,
    magnitude: bool,
    regrow: bool,
) -> None:
    return None
