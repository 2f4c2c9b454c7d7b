"""The top-k activation."""

from __future__ import annotations

import pytest
import torch

from sparsegnn.nn import MaxK


def test_the_largest_entries_stay() -> None:
    x = torch.tensor([[1.0, -3.0, 2.0, 2.0], [0.0, 0.0, -1.0, -2.0]])
    assert MaxK(1)(x).tolist() == [[0.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    assert MaxK(2, "magnitude")(x).tolist() == [[0.0, -3.0, 2.0, 0.0], [0.0, 0.0, -1.0, -2.0]]
    assert MaxK(0)(x).tolist() == torch.zeros(2, 4).tolist()
    assert torch.equal(MaxK(4)(x), x)
    assert repr(MaxK(3)) == "MaxK(k=3, by='value')"


def test_gradients_reach_the_kept_entries() -> None:
    x = torch.tensor([[1.0, -3.0, 2.0, 4.0], [0.5, 0.0, -1.0, -2.0]], dtype=torch.float64)
    assert torch.autograd.gradcheck(MaxK(2), x.requires_grad_())
    MaxK(1)(x).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [[0, 0, 0, 1], [1, 0, 0, 0]]


def test_traced_whole() -> None:
    x = torch.rand(5, 8)
    assert torch.equal(torch.compile(MaxK(3), fullgraph=True, backend="aot_eager")(x), MaxK(3)(x))


def test_wrong_arguments_have_their_sentence() -> None:
    with pytest.raises(ValueError, match="k must not be negative, got -1"):
        MaxK(-1)
    with pytest.raises(TypeError, match="k must be an int, got float"):
        MaxK(1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="by must be 'value' or 'magnitude', got 'size'"):
        MaxK(1, "size")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"k must lie in \[0, 4\], the columns of x, got 5"):
        MaxK(5)(torch.rand(2, 4))
