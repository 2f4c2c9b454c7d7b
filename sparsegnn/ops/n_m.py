"""N:M sparsity: at most N kept entries in every M neighbours along the inputs."""

from __future__ import annotations

import torch
from torch import Tensor

from sparsegnn.ops._typed import check_int, typed


@typed
def nm_mask(weight: Tensor, n: int, m: int) -> Tensor:
    """Keeps the n largest magnitudes in every group of m consecutive entries of a row.

    Exact: every group keeps n entries. Ties go to the lowest index; NaN ranks below everything.
    On CPU such weights run as a `SparseWeight` through `sparse_linear`.

    Args:
        weight: Floating `[out_features, in_features]`, in_features a multiple of m.
        n: Entries kept per group, in [0, m].
        m: Size of a group.

    Returns:
        bool of the shape of weight.

    Raises:
        ValueError: A size does not fit; the message names the argument.
    """
    if weight.dim() != 2 or not weight.is_floating_point():
        raise ValueError(
            f"weight must be a floating matrix [out, in], got {weight.dtype} of shape "
            f"{list(weight.shape)}."
        )
    check_int("n", n)
    check_int("m", m)
    if m < 1 or weight.shape[1] % m:
        raise ValueError(f"m must divide {weight.shape[1]} input features, got {m}.")
    if not 0 <= n <= m:
        raise ValueError(f"n must be between 0 and m = {m}, got {n}.")
    rank = weight.detach().abs().nan_to_num(nan=-1.0, posinf=torch.inf).reshape(-1, m)
    order = rank.sort(dim=1, descending=True, stable=True).indices
    keep = torch.zeros_like(rank, dtype=torch.bool)
    return keep.scatter(1, order[:, :n], True).reshape(weight.shape)


@typed
def semi_structured(weight: Tensor) -> Tensor:
    """A 2:4 weight in torch's own semi-structured format, for NVIDIA's sparse tensor cores.

    The result goes into `torch.nn.functional.linear`. Which shapes are supported and which library
    computes the product is torch's choice (`torch.sparse.to_sparse_semi_structured`).

    Args:
        weight: float16 or bfloat16 `[out_features, in_features]` on a CUDA device with at most two
            non-zero entries in every four neighbours of a row.

    Raises:
        ValueError: The weight is elsewhere, of another dtype or not 2:4.
    """
    if weight.device.type != "cuda":
        raise ValueError(
            f"weight must be on a CUDA device for 2:4 products, got {weight.device}: on a CPU use "
            "SparseWeight.from_dense and sparse_linear."
        )
    if weight.dtype not in (torch.float16, torch.bfloat16):
        raise ValueError(f"weight must be float16 or bfloat16, got {weight.dtype}.")
    if weight.dim() != 2 or weight.shape[1] % 4:
        raise ValueError(
            f"weight must have shape [out, in] with in a multiple of 4, got {list(weight.shape)}."
        )
    most = int(weight.detach().ne(0).reshape(-1, 4).sum(dim=1).max()) if weight.numel() else 0
    if most > 2:
        raise ValueError(f"weight must keep at most 2 of every 4 entries, got {most}.")
    return torch.sparse.to_sparse_semi_structured(weight)
