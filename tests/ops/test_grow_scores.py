import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sparsegnn as sg
from sparsegnn.testing import reference_grow_positions


def integers(*shape: int, seed: int) -> torch.Tensor:
    """Small whole numbers: every product and sum is exact, in any order."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-3, 4, shape, generator=generator).double()


@settings(max_examples=60, deadline=None)
@given(
    samples=st.integers(0, 5),
    outputs=st.integers(0, 7),
    width=st.integers(0, 6),
    tile_rows=st.integers(1, 8),
    share=st.floats(0, 1),
    seed=st.integers(0, 1000),
)
def test_equals_the_dense_gradient(
    samples: int, outputs: int, width: int, tile_rows: int, share: float, seed: int
) -> None:
    x, dy = integers(samples, width, seed=seed), integers(samples, outputs, seed=seed + 1)
    active = integers(outputs, width, seed=seed + 2) > 1
    k = round(share * outputs * width)
    actual = sg.ops.grow_scores_topk(x, dy, active, k, tile_rows=tile_rows)
    expected = reference_grow_positions((dy.t() @ x).abs(), active, k)
    assert torch.equal(actual, expected)


def test_nan_gradients_come_last() -> None:
    x, dy = integers(4, 6, seed=1), integers(4, 9, seed=2)
    x[:, 2] = float("nan")
    active = torch.zeros(9, 6, dtype=torch.uint8)
    for k in (10, 45, 50, 54):
        actual = sg.ops.grow_scores_topk(x, dy, active, k, tile_rows=2)
        assert torch.equal(actual, reference_grow_positions((dy.t() @ x).abs(), active, k))


def test_the_chosen_positions_grow() -> None:
    x, dy = integers(30, 40, seed=3), integers(30, 50, seed=4)
    active = torch.rand(50, 40) < 0.2
    positions = sg.ops.grow_scores_topk(x, dy, active, 77)
    mask, weight = active.clone(), torch.ones(50, 40, dtype=torch.float64) * active
    sg.ops.drop_and_grow_(mask, weight, [], dy.t() @ x, 77, magnitude=True, regrow=False)
    assert torch.equal((mask & ~active).reshape(-1).nonzero().squeeze(1), positions)


def test_bad_input() -> None:
    x, dy, active = torch.ones(3, 4), torch.ones(3, 5), torch.zeros(5, 4, dtype=torch.bool)
    run = sg.ops.grow_scores_topk
    with pytest.raises(ValueError, match=r"k must lie in \[0, 20\], got 21"):
        run(x, dy, active, 21)
    with pytest.raises(ValueError, match=r"active_mask must have shape \[5, 4\]"):
        run(x, dy, active.t(), 1)
    with pytest.raises(ValueError, match="dy must have shape"):
        run(x, dy[:2], active, 1)
    with pytest.raises(ValueError, match="tile_rows must be at least 1, got 0"):
        run(x, dy, active, 1, tile_rows=0)
    with pytest.raises(TypeError, match="k must be an int, got float"):
        run(x, dy, active, 1.0)  # type: ignore[arg-type]
