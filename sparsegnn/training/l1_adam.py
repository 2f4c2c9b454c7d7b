"""Adam for masks: an L1 penalty and a lower bound as parts of the update."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class L1Adam(torch.optim.Adam):
    """`torch.optim.Adam` on `loss + l1 * sum |p|`, with p kept at `minimum` or above.

    The penalty is never part of the autograd graph: its subgradient `l1 * sign(p)`, 0 at 0 as
    autograd takes it, is added to the gradients at the beginning of the step, and p is clamped at
    its end. Both are options of a parameter group as well. `p.grad` holds the sum afterwards.

    Args:
        params: Parameters or groups of them.
        lr: Learning rate.
        l1: Coefficient of the penalty, at least 0.
        minimum: Lower bound, or None.
        options: Those of `torch.optim.Adam`.

    Raises:
        ValueError: l1 is negative.
    """

    def __init__(
        self,
        params: Any,
        lr: float | torch.Tensor = 1e-3,
        *,
        l1: float = 0.0,
        minimum: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(params, lr, **options)
        mine = {"l1": l1, "minimum": minimum}
        self.defaults.update(mine)
        for group in self.param_groups:
            for name, value in mine.items():
                group.setdefault(name, value)
            if not group["l1"] >= 0.0:
                raise ValueError(f"l1 must be at least 0, got {group['l1']}.")
        self._attach()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._attach()

    def _attach(self) -> None:
        """Once per object; a copy is made without the hooks of the original."""
        if "_attached" not in self.__dict__:
            self._attached = True
            self.register_step_pre_hook(_before)
            self.register_step_post_hook(_after)


def _before(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> Any:
    closure = args[1] if len(args) > 1 else kwargs.get("closure")
    if closure is None:
        _penalise(optimizer)
        return None
    return (optimizer, _penalised(optimizer, closure)), {}


def _penalised(optimizer: torch.optim.Optimizer, closure: Callable[[], Any]) -> Callable[[], Any]:
    """A closure that leaves the gradients of loss and penalty."""

    def evaluate() -> Any:
        loss = closure()
        _penalise(optimizer)
        return loss

    return evaluate


@torch.no_grad()
def _penalise(optimizer: torch.optim.Optimizer) -> None:
    for group in optimizer.param_groups:
        params = [p for p in group["params"] if p.grad is not None]
        if params and group["l1"] > 0.0:
            grads = [p.grad for p in params]
            torch._foreach_add_(grads, torch._foreach_sign(params), alpha=group["l1"])


@torch.no_grad()
def _after(optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
    for group in optimizer.param_groups:
        if group["params"] and group["minimum"] is not None:
            torch._foreach_clamp_min_(group["params"], group["minimum"])
