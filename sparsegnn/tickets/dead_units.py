"""Which units of a stack of linear layers can be removed without changing its output."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class LiveUnits:
    """Kept unit indices at every boundary of the stack.

    Attributes:
        kept: int64 indices, ascending; entry 0 are input features, entry l are the outputs of
            layer l. The last entry always holds every output.
        sizes: Units before removal, per boundary.
    """

    kept: tuple[Tensor, ...]
    sizes: tuple[int, ...]

    @property
    def removed(self) -> tuple[int, ...]:
        """Units removed per boundary."""
        return tuple(size - len(kept) for size, kept in zip(self.sizes, self.kept, strict=True))

    def compact(self, layer: int, weight: Tensor) -> Tensor:
        """Rows and columns of layer `layer`'s weight [out, in] that survive, contiguous."""
        return weight[self.kept[layer + 1]][:, self.kept[layer]].contiguous()

    def compact_bias(self, layer: int, bias: Tensor | None) -> Tensor | None:
        """Entries of layer `layer`'s bias [out] that survive."""
        return None if bias is None else bias[self.kept[layer + 1]].contiguous()


def live_units(
    weights: list[Tensor], biases: list[Tensor | None], used_inputs: Tensor | None = None
) -> LiveUnits:
    """Finds the units that can influence the output of a ReLU graph-convolution stack.

    Layer l computes relu(A h W_l^T + b_l), the last one without ReLU, in either order of A and W.
    Removing is exact in real arithmetic, for any linear A:
    an input feature goes when it is zero for every node or no live unit reads it; a hidden unit
    goes when no live unit reads it, or when nothing reaches it and relu of its bias is 0 (it is
    then 0 for every node). A unit that nothing reaches but whose bias is positive is kept, because
    the next aggregation turns its constant into a value per node.

    Args:
        weights: [out, in] per layer, pruned entries 0.
        biases: [out] or None per layer.
        used_inputs: bool [in], False for features that are 0 everywhere; None keeps all.

    Returns:
        The kept units; the result is the same for any order of the removals.
    """
    alive = [torch.ones(weights[0].shape[1], dtype=torch.bool)]
    if used_inputs is not None:
        alive[0] = used_inputs.clone()
    alive += [torch.ones(weight.shape[0], dtype=torch.bool) for weight in weights]
    edges = [weight != 0 for weight in weights]
    changed = True
    while changed:
        changed = _backward(alive, edges) | _forward(alive, edges, biases)
    sizes = tuple(len(mask) for mask in alive)
    return LiveUnits(tuple(mask.nonzero().flatten() for mask in alive), sizes)


def _backward(alive: list[Tensor], edges: list[Tensor]) -> bool:
    """Removes units that no live unit reads."""
    changed = False
    for layer in range(len(edges) - 1, -1, -1):
        read = edges[layer][alive[layer + 1]].any(dim=0)
        changed |= _narrow(alive, layer, read)
    return changed


def _forward(alive: list[Tensor], edges: list[Tensor], biases: list[Tensor | None]) -> bool:
    """Removes hidden units that are 0 for every node."""
    changed = False
    for layer in range(len(edges) - 1):
        reached = edges[layer][:, alive[layer]].any(dim=1)
        bias = biases[layer]
        if bias is not None:
            reached = reached | (bias > 0)
        changed |= _narrow(alive, layer + 1, reached)
    return changed


def _narrow(alive: list[Tensor], boundary: int, keep: Tensor) -> bool:
    narrowed = alive[boundary] & keep
    changed = not torch.equal(narrowed, alive[boundary])
    alive[boundary] = narrowed
    return changed
