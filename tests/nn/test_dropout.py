import pytest
import torch

from sparsegnn.nn import dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.6, 0.9])
def test_rate_scale_and_gradient(p: float) -> None:
    x = torch.ones(400, 501, requires_grad=True)
    y = dropout(x, p)
    kept = y != 0
    assert abs(float((~kept).float().mean()) - p) < 5 * (p * (1 - p) / x.numel()) ** 0.5 + 2**-16
    torch.testing.assert_close(y[kept].unique(), torch.tensor([1 / (1 - p)]), rtol=2e-4, atol=0)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())


def test_entries_are_independent_of_their_neighbours() -> None:
    """Four entries share a word of the generator: neither they nor the words may correlate."""
    y = (dropout(torch.ones(200_000), 0.5) != 0).double() - 0.5
    for lag in range(1, 9):
        assert abs(float((y[lag:] * y[:-lag]).mean()) * 4) < 5 / 200_000**0.5


def test_seeded_and_fresh() -> None:
    x = torch.ones(1000)
    torch.manual_seed(1)
    first, second = dropout(x, 0.5), dropout(x, 0.5)
    torch.manual_seed(1)
    assert torch.equal(dropout(x, 0.5), first)
    assert not torch.equal(first, second)


def test_limits() -> None:
    x = torch.randn(7)
    assert dropout(x, 0.0) is x
    assert dropout(x, 0.5, training=False) is x
    assert dropout(x, 1.0).eq(0).all()
    assert dropout(torch.ones(0), 0.5).numel() == 0
    with pytest.raises(ValueError, match=r"p must lie in \[0, 1\], got 1.5"):
        dropout(x, 1.5)
