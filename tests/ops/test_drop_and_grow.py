import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sparsegnn as sg
from sparsegnn.testing import reference_drop_and_grow

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
SPECIAL = [0.0, -0.0, 1.0, -1.0, float("inf"), float("-inf"), float("nan"), 1e-45, 0.5]
SWITCHES = [(m, r) for m in (False, True) for r in (False, True)]


def compare(
    mask: torch.Tensor,
    weight: torch.Tensor,
    state: list[torch.Tensor],
    grow: torch.Tensor,
    k: int,
    **options: object,
) -> None:
    expected = reference_drop_and_grow(mask, weight, state, grow, k, **options)  # type: ignore[arg-type]
    mask, weight, state = mask.clone(), weight.clone(), [tensor.clone() for tensor in state]
    count = int((mask != 0).sum())
    sg.ops.drop_and_grow_(mask, weight, state, grow, k, **options)  # type: ignore[arg-type]
    assert int((mask != 0).sum()) == count
    assert torch.equal(mask, expected[0])
    torch.testing.assert_close(weight, expected[1], rtol=0, atol=0, equal_nan=True)
    for actual, wanted in zip(state, expected[2], strict=True):
        assert torch.equal(actual, wanted)


@settings(max_examples=200, deadline=None)
@given(
    entries=st.lists(
        st.tuples(st.booleans(), st.sampled_from(SPECIAL), st.sampled_from(SPECIAL)), max_size=14
    ),
    share=st.floats(0, 1),
    switches=st.sampled_from(SWITCHES),
)
def test_equals_the_reference_on_ties_nan_and_zeros(
    entries: list[tuple[bool, float, float]], share: float, switches: tuple[bool, bool]
) -> None:
    mask = torch.tensor([e[0] for e in entries], dtype=torch.bool)
    weight = torch.tensor([e[1] for e in entries])
    grow = torch.tensor([e[2] for e in entries])
    state = [torch.ones_like(weight)]
    magnitude, regrow = switches
    k = round(share * len(entries))
    compare(mask, weight, state, grow, k, magnitude=magnitude, regrow=regrow)


@pytest.mark.parametrize("switches", SWITCHES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_random_updates(dtype: torch.dtype, switches: tuple[bool, bool], isa: int) -> None:
    magnitude, regrow = switches
    torch.manual_seed(4)
    mask = torch.rand(40, 30) < 0.3
    weight = torch.randn(40, 30).to(dtype) * mask
    grow = torch.randn(40, 30).to(dtype)
    state = [torch.rand(40, 30, dtype=torch.float64), torch.rand(40, 30).to(dtype)]
    state.append(torch.ones(40, 30, dtype=torch.uint8))
    scores = {"drop_score": torch.randn(40, 30).to(dtype), "init": torch.randn(40, 30).to(dtype)}
    for k in (0, 1, 100, 360, 1200):
        compare(mask, weight, state, grow, k, magnitude=magnitude, regrow=regrow)
        compare(mask.byte(), weight, state, grow, k, magnitude=magnitude, regrow=regrow, **scores)


def test_a_dropped_weight_may_grow_again_as_it_was() -> None:
    mask = torch.tensor([True, True, False])
    weight, moment = torch.tensor([0.1, 2.0, 0.0]), torch.tensor([3.0, 4.0, 0.0])
    grow = torch.tensor([9.0, 0.0, 1.0])
    sg.ops.drop_and_grow_(mask, weight, [moment], grow, 1)
    assert mask.tolist() == [True, True, False]
    assert moment.tolist() == [3.0, 4.0, 0.0]
    sg.ops.drop_and_grow_(mask, weight, [moment], grow, 1, regrow=False)
    assert mask.tolist() == [False, True, True]
    assert weight.tolist() == [0.0, 2.0, 0.0]
    assert moment.tolist() == [0.0, 4.0, 0.0]


def test_the_same_update_for_every_number_of_threads() -> None:
    torch.manual_seed(1)
    mask = torch.rand(300_001) < 0.2
    weight = (torch.randn(300_001) * 8).round() * mask
    grow = (torch.randn(300_001) * 8).round()
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            m, w, s = mask.clone(), weight.clone(), torch.ones(300_001)
            sg.ops.drop_and_grow_(m, w, [s], grow, 20_000, magnitude=True, regrow=False)
            results.append((m, w, s))
    finally:
        torch.set_num_threads(before)
    m, w, s = results[0]
    changed = m != mask
    assert int(changed.sum()) == 40_000
    assert int((changed & m).sum()) == 20_000
    assert not s[changed].any() and bool((s[~changed] == 1).all())
    assert float(grow[changed & m].abs().min()) >= float(grow[~m & ~mask].abs().max())
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_a_parameter_and_its_optimizer() -> None:
    weight = torch.nn.Parameter(torch.randn(8, 8))
    optimizer = torch.optim.Adam([weight])
    weight.square().sum().backward()
    optimizer.step()
    slots = optimizer.state[weight]
    mask = torch.rand(8, 8) < 0.5
    assert weight.grad is not None
    sg.ops.drop_and_grow_(
        mask, weight, [slots["exp_avg"], slots["exp_avg_sq"]], weight.grad, 5, magnitude=True
    )
    assert weight.requires_grad


def test_bad_input() -> None:
    mask, weight, grow = torch.ones(4, dtype=torch.bool), torch.ones(4), torch.ones(4)
    run = sg.ops.drop_and_grow_
    with pytest.raises(ValueError, match=r"k must lie in \[0, 4\], got 5"):
        run(mask, weight, [], grow, 5)
    with pytest.raises(ValueError, match="mask must be bool or uint8, got Float"):
        run(weight, weight, [], grow, 1)
    with pytest.raises(ValueError, match="mask must have the shape of weight"):
        run(mask[:3], weight, [], grow, 1)
    with pytest.raises(ValueError, match="grow_score must have dtype Float, got Double"):
        run(mask, weight, [], grow.double(), 1)
    with pytest.raises(ValueError, match="state must have the shape of weight"):
        run(mask, weight, [torch.ones(3)], grow, 1)
    with pytest.raises(ValueError, match="weight must be contiguous, got a strided view"):
        run(mask, torch.ones(8)[::2], [], grow, 1)
    with pytest.raises(ValueError, match="weight must be float32"):
        run(mask, torch.ones(4, dtype=torch.int64), [], grow, 1)
    with pytest.raises(TypeError, match="k must be an int, got float"):
        run(mask, weight, [], grow, 1.0)  # type: ignore[arg-type]


@pytest.mark.slow
def test_opcheck() -> None:
    arguments = (
        torch.rand(4, 5) < 0.5,
        torch.randn(4, 5),
        [torch.ones(4, 5), torch.ones(4, 5)],
        None,
        torch.randn(4, 5),
        None,
        3,
        True,
        True,
    )
    torch.library.opcheck(torch.ops.sparsegnn.drop_and_grow_.default, arguments)
