"""Binary masks in packed bits."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Mask:
    """A binary mask of any shape: bit e of byte e // 8, lowest bit first.

    Attributes:
        packed: uint8 `[ceil(numel / 8)]`; bits past the end are zero.
        shape: Shape of the mask, row-major.
        count: Number of ones.
    """

    packed: Tensor
    shape: tuple[int, ...]
    count: int

    def __post_init__(self) -> None:
        if not isinstance(self.packed, Tensor):
            raise TypeError(f"packed must be a uint8 vector, got {type(self.packed).__name__}.")
        if any(extent < 0 for extent in self.shape):
            raise ValueError(f"shape must not be negative, got {list(self.shape)}.")
        if self.packed.dtype != torch.uint8 or self.packed.dim() != 1:
            raise ValueError(
                f"packed must be a uint8 vector, got {self.packed.dtype} of shape "
                f"{list(self.packed.shape)}."
            )
        expected = (self.numel + 7) // 8
        if self.packed.numel() != expected:
            raise ValueError(
                f"packed must hold {expected} bytes for shape {list(self.shape)}, "
                f"got {self.packed.numel()}."
            )

    @staticmethod
    def from_bool(values: Tensor) -> Mask:
        """Packs a bool tensor; the mask lives on its device."""
        if not isinstance(values, Tensor):
            raise TypeError(f"values must be a bool tensor, got {type(values).__name__}.")
        if values.dtype != torch.bool:
            raise TypeError(f"values must be a bool tensor, got {values.dtype}.")
        flat = values.detach().reshape(-1)
        bits = np.packbits(flat.cpu().numpy(), bitorder="little")
        packed = torch.from_numpy(bits).to(values.device)
        return Mask(packed, tuple(values.shape), int(flat.sum()))

    @staticmethod
    def from_packed(packed: Tensor, shape: tuple[int, ...]) -> Mask:
        """Wraps packed bits, counting the ones; set bits past the end are an error."""
        mask = Mask(packed, tuple(shape), 0)
        bits = np.unpackbits(packed.detach().cpu().numpy(), bitorder="little")
        if bits[mask.numel :].any():
            raise ValueError("packed must have zero bits past the end of the mask, got a one.")
        return Mask(packed, tuple(shape), int(bits[: mask.numel].sum()))

    @staticmethod
    def ones(*shape: int) -> Mask:
        """A mask that keeps everything."""
        return Mask.from_bool(torch.ones(shape, dtype=torch.bool))

    @property
    def numel(self) -> int:
        """Number of entries, kept or not."""
        size = 1
        for extent in self.shape:
            size *= extent
        return size

    @property
    def sparsity(self) -> float:
        """Fraction of entries removed; 0 for an empty mask."""
        return 1.0 - self.count / self.numel if self.numel else 0.0

    def to_bool(self) -> Tensor:
        """The mask as a bool tensor of its shape, on its device."""
        bits = np.unpackbits(self.packed.cpu().numpy(), count=self.numel, bitorder="little")
        return torch.from_numpy(bits.astype(np.bool_)).reshape(self.shape).to(self.packed.device)

    def to(self, device: torch.device | str) -> Mask:
        """The same mask on another device."""
        return Mask(self.packed.to(device), self.shape, self.count)

    def sha256(self) -> str:
        """Digest of shape and bits: equal masks have equal digests on every device."""
        digest = hashlib.sha256(repr(list(self.shape)).encode())
        digest.update(self.packed.cpu().numpy().tobytes())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        return self.shape == other.shape and torch.equal(self.packed.cpu(), other.packed.cpu())

    def __hash__(self) -> int:
        return hash(self.sha256())

    def __repr__(self) -> str:
        return f"Mask(shape={list(self.shape)}, kept={self.count}, sparsity={self.sparsity:.4f})"
