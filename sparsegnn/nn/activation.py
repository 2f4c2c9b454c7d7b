"""What follows a layer: ReLU and dropout, in one pass with its bias."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from sparsegnn import ops
from sparsegnn.nn.dropout import Dropout
from sparsegnn.nn.projection import has_hooks


class Activation(NamedTuple):
    """ReLU and then dropout, both optional: what a layer may apply to its result itself.

    Attributes:
        relu: Whether to clamp at zero.
        dropout: Probability of dropping an element. In evaluation it has to be 0: unlike a module,
            this knows no modes.
    """

    relu: bool = False
    dropout: float = 0.0

    def is_active(self) -> bool:
        """Whether it changes anything."""
        return self.relu or self.dropout > 0.0

    def apply(self, y: Tensor, bias: Tensor | None = None) -> Tensor:
        """`dropout(relu(y + bias))`, bias `[F]`; y itself where nothing is to be done."""
        if self.is_active():
            return ops.dropout(y, self.dropout, bias=bias, relu=self.relu)
        return y if bias is None else y + bias.to(y.dtype)

    def then(self, following: object) -> Activation | None:
        """This and what follows it as one; None where that is something else, or runs hooks."""
        if isinstance(following, Activation):
            return self._then(following)
        if not isinstance(following, nn.Module) or has_hooks(following):
            return None
        kind = type(following)
        if kind is nn.Identity:
            return self
        if kind is nn.ReLU:
            return self._then(Activation(relu=True))
        if isinstance(following, nn.Dropout) and (not following.training or following.p == 0.0):
            return self
        if isinstance(following, Dropout):
            return self._then(Activation(dropout=following.p))
        return None

    def _then(self, following: Activation) -> Activation | None:
        if self.dropout > 0.0:
            return None if following.is_active() else self
        return Activation(self.relu or following.relu, following.dropout)


NOTHING = Activation()
