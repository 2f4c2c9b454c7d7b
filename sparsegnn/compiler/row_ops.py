"""Operations on every node by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from sparsegnn.compiler.network import Operation, take


@dataclass(frozen=True, eq=False)
class Linear(Operation):
    """`h W^T`; W `[out, in]` has zeros where it is pruned."""

    weight: Tensor = field(kw_only=True)

    def width(self, widths: list[int]) -> int:
        """Outputs."""
        return self.weight.shape[0]

    def constants(self, inputs: list[Tensor]) -> Tensor:
        """A unit that reads constants alone is constant."""
        varies = inputs[0].isnan()
        weight = self.weight.double()
        known = weight[:, ~varies] @ inputs[0][~varies]
        return torch.where((weight[:, varies] != 0).any(dim=1), torch.nan, known)

    def reads(self, live: Tensor, constants: list[Tensor]) -> list[Tensor]:
        """Inputs with a weight into a live unit that are not zero for every node."""
        return [(self.weight[live] != 0).any(dim=0) & (constants[0] != 0)]

    def compact(self, inputs: list[Tensor], output: Tensor) -> Linear:
        """Rows and columns of the kept channels."""
        weight = self.weight.new_zeros(len(output), len(inputs[0]))
        row, column = (output >= 0).nonzero()[:, 0], (inputs[0] >= 0).nonzero()[:, 0]
        weight[row[:, None], column] = self.weight[output[row]][:, inputs[0][column]]
        return replace(self, weight=weight)


@dataclass(frozen=True, eq=False)
class Channelwise(Operation):
    """Channel c of the output depends on channel c of the inputs alone."""

    aligned = True
    accepts_padding = True

    def reads(self, live: Tensor, constants: list[Tensor]) -> list[Tensor]:
        """The live channels."""
        return [live] * len(self.inputs)

    def compact(self, inputs: list[Tensor], output: Tensor) -> Operation:
        """Unchanged, unless there are numbers per channel."""
        return self


@dataclass(frozen=True, eq=False)
class Bias(Channelwise):
    """`h + b`, b `[C]`."""

    bias: Tensor = field(kw_only=True)

    def constants(self, inputs: list[Tensor]) -> Tensor:
        """Shifted."""
        return inputs[0] + self.bias.double()

    def compact(self, inputs: list[Tensor], output: Tensor) -> Bias:
        """Entries of the kept channels."""
        return replace(self, bias=take(self.bias, output))


@dataclass(frozen=True, eq=False)
class Scale(Channelwise):
    """`h * s`, s `[C]`."""

    scale: Tensor = field(kw_only=True)

    def constants(self, inputs: list[Tensor]) -> Tensor:
        """Scaled."""
        return inputs[0] * self.scale.double()

    def compact(self, inputs: list[Tensor], output: Tensor) -> Scale:
        """Entries of the kept channels."""
        return replace(self, scale=take(self.scale, output))


@dataclass(frozen=True, eq=False)
class Activation(Channelwise):
    """An elementwise function, named as in `torch.nn.functional`, with its options."""

    name: str = field(kw_only=True)
    options: dict[str, Any] = field(kw_only=True, default_factory=dict)

    def function(self) -> Callable[[Tensor], Tensor]:
        """The function, out of place."""
        return activation(self.name, self.options)

    def constants(self, inputs: list[Tensor]) -> Tensor:
        """The function of them; NaN stays NaN."""
        return torch.where(inputs[0].isnan(), torch.nan, self.function()(inputs[0]))


@dataclass(frozen=True, eq=False)
class Power(Channelwise):
    """`clamp(h, low, high) ** power`, power `[1]` or `[C]`, every bound optional."""

    accepts_padding = False  # a negative power of 0 is not finite
    power: Tensor = field(kw_only=True)
    low: float | None = field(kw_only=True)
    high: float | None = field(kw_only=True)

    def constants(self, inputs: list[Tensor]) -> Tensor:
        """Their powers; NaN stays NaN."""
        powers = clamped_power(inputs[0], self.power.double(), self.low, self.high)
        return torch.where(inputs[0].isnan(), torch.nan, powers)

    def compact(self, inputs: list[Tensor], output: Tensor) -> Power:
        """Powers of the kept channels."""
        return self if self.power.numel() == 1 else replace(self, power=self.power[output])


@dataclass(frozen=True, eq=False)
class Add(Channelwise):
    """The sum of two values."""

    def constants(self, inputs: list[Tensor]) -> Tensor:
        """Added."""
        return inputs[0] + inputs[1]


@dataclass(frozen=True, eq=False)
class Concat(Operation):
    """The channels of all inputs, one after the other."""

    sizes: tuple[int, ...] = field(kw_only=True)
    index: Tensor | None = field(kw_only=True, default=None)

    def width(self, widths: list[int]) -> int:
        """All of them, or what is kept."""
        return sum(widths) if self.index is None else len(self.index)

    def constants(self, inputs: list[Tensor]) -> Tensor:
        """Theirs."""
        return torch.cat(inputs)

    def reads(self, live: Tensor, constants: list[Tensor]) -> list[Tensor]:
        """Each its own part."""
        return list(live.split(self.sizes))

    def compact(self, inputs: list[Tensor], output: Tensor) -> Concat:
        """Positions of the output's channels among those of the inputs."""
        starts = torch.tensor([0, *self.sizes]).cumsum(0).tolist()
        given = torch.cat([kept + start for kept, start in zip(inputs, starts, strict=False)])
        sizes = tuple(len(kept) for kept in inputs)
        if torch.equal(given, output):
            return replace(self, sizes=sizes)
        return replace(self, sizes=sizes, index=torch.searchsorted(given, output))


@dataclass(frozen=True, eq=False)
class HeadMean(Operation):
    """The mean over the first of `[heads, C]`."""

    heads: int = field(kw_only=True)
    index: Tensor | None = field(kw_only=True, default=None)

    def width(self, widths: list[int]) -> int:
        """C, or what is kept of them."""
        return widths[0] // self.heads if self.index is None else len(self.index)

    def constants(self, inputs: list[Tensor]) -> Tensor:
        """Their mean."""
        return inputs[0].view(self.heads, -1).mean(dim=0)

    def reads(self, live: Tensor, constants: list[Tensor]) -> list[Tensor]:
        """Everything: heads are removed whole or not at all."""
        return [torch.ones_like(constants[0], dtype=torch.bool)]

    def compact(self, inputs: list[Tensor], output: Tensor) -> HeadMean:
        """The kept channels of the mean, where these are not all."""
        every = len(output) * self.heads == len(inputs[0])
        return self if every else replace(self, index=output)


@dataclass(frozen=True, eq=False)
class NodeSubset(Channelwise):
    """The rows `h[index]`."""

    index: Tensor = field(kw_only=True)

    def constants(self, inputs: list[Tensor]) -> Tensor:
        """Theirs."""
        return inputs[0]


@dataclass(frozen=True, eq=False)
class Opaque(Operation):
    """Anything else: a function of whole values, whose channels are all kept.

    Attributes:
        call: The function.
        channels: What it gives.
        by_row: Whether a row of the result depends on the same rows of the inputs alone.
    """

    gives_all = True
    call: Callable[..., Tensor] = field(kw_only=True)
    channels: int = field(kw_only=True)
    by_row: bool = field(kw_only=True, default=False)

    def nodes_read(self, needed: Tensor) -> list[Tensor]:
        """All of them, unless rows are known to be independent."""
        read = needed if self.by_row else torch.ones_like(needed)
        return [read] * len(self.inputs)

    def width(self, widths: list[int]) -> int:
        """What it was found to give."""
        return self.channels

    def constants(self, inputs: list[Tensor]) -> Tensor:
        """None known."""
        return torch.full((self.channels,), torch.nan, dtype=torch.float64)

    def reads(self, live: Tensor, constants: list[Tensor]) -> list[Tensor]:
        """Everything."""
        return [torch.ones_like(c, dtype=torch.bool) for c in constants]

    def compact(self, inputs: list[Tensor], output: Tensor) -> Opaque:
        """Unchanged."""
        return self


@dataclass(frozen=True, eq=False)
class TopK(Operation):
    """The k largest entries of every row, zeros elsewhere; all channels compete and stay."""

    gives_all = True
    k: int = field(kw_only=True)
    magnitude: bool = field(kw_only=True)

    def constants(self, inputs: list[Tensor]) -> Tensor:
        """A channel that is 0 for every node stays 0."""
        return torch.where(inputs[0] == 0, inputs[0], torch.nan)

    def reads(self, live: Tensor, constants: list[Tensor]) -> list[Tensor]:
        """Everything."""
        return [torch.ones_like(constants[0], dtype=torch.bool)]

    def compact(self, inputs: list[Tensor], output: Tensor) -> TopK:
        """Unchanged."""
        return self


ACTIVATIONS: dict[str, tuple[tuple[str, ...], Any]] = {
    "relu": ((), torch.nn.functional.relu),
    "elu": (("alpha",), torch.nn.functional.elu),
    "leaky_relu": (("negative_slope",), torch.nn.functional.leaky_relu),
    "gelu": (("approximate",), torch.nn.functional.gelu),
    "silu": ((), torch.nn.functional.silu),
    "sigmoid": ((), torch.sigmoid),
    "tanh": ((), torch.tanh),
    "softplus": (("beta", "threshold"), torch.nn.functional.softplus),
}


def activation(name: str, options: dict[str, Any]) -> Callable[[Tensor], Tensor]:
    """The elementwise function of that name."""
    function: Callable[..., Tensor] = ACTIVATIONS[name][1]
    return (lambda h: function(h, **options)) if options else function


def clamped_power(h: Tensor, power: Tensor, low: float | None, high: float | None) -> Tensor:
    """`clamp(h, low, high) ** power`."""
    clamped = h if low is None and high is None else h.clamp(low, high)
    return clamped.pow(power)
