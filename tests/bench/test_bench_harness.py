import gc
import time
from functools import partial

import pytest

from bench.harness import Plan, measure, ratios

INSTANT = Plan(rounds=4, warmup=1, min_sample_s=0.0, settle_s=0.0)


def test_rounds_are_interleaved_and_rotate() -> None:
    order: list[str] = []
    timings = measure({name: partial(order.append, name) for name in "abc"}, INSTANT)
    assert order[:3] == ["a", "b", "c"]  # warm-up
    assert order[3:] == list("abc" + "bca" + "cab" + "abc")
    assert all(timing.wall.count == 4 for timing in timings.values())


def test_short_calls_are_repeated_within_a_sample() -> None:
    plan = Plan(rounds=1, warmup=3, min_sample_s=0.001, settle_s=0.0, min_rounds=1)
    calls = 0

    def run() -> None:
        nonlocal calls
        calls += 1

    timing = measure({"run": run}, plan)["run"]
    assert timing.calls_per_sample > 10
    assert calls == 3 + timing.calls_per_sample


def test_budget_ends_after_the_least_rounds() -> None:
    plan = Plan(rounds=50, warmup=1, min_sample_s=0.0, settle_s=0.0, budget_s=0.0, min_rounds=2)
    assert measure({"a": lambda: None}, plan)["a"].wall.count == 2


def test_no_alternative_is_an_error() -> None:
    with pytest.raises(ValueError, match="alternatives"):
        measure({})


def test_garbage_collector_is_restored_after_a_failure() -> None:
    calls = 0

    def fail_later() -> None:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise RuntimeError("broken alternative")

    with pytest.raises(RuntimeError, match="broken"):
        measure({"a": fail_later}, INSTANT)
    assert gc.isenabled()


def test_ratios_name_every_peer_and_not_the_subject() -> None:
    timings = measure({"ours": lambda: None, "x": lambda: None, "y": lambda: None}, INSTANT)
    found = ratios(timings, "ours")
    assert {ratio.peer for ratio in found} == {"x", "y"}
    first = next(ratio for ratio in found if ratio.peer == "x")
    expected = sorted(
        a / b for a, b in zip(timings["x"].wall_s, timings["ours"].wall_s, strict=True)
    )
    assert first.wall.minimum == pytest.approx(expected[0])
    assert first.wall.maximum == pytest.approx(expected[-1])


def test_preemptions_are_counted_per_second(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter(range(0, 1000, 3))
    monkeypatch.setattr("bench.harness._preemptions", lambda: next(counts))
    timing = measure({"a": lambda: None}, INSTANT)["a"]
    expected = sum(3.0 / wall for wall in timing.wall_s) / timing.wall.count
    assert timing.preemptions_per_s == pytest.approx(expected)


def test_slow_alternatives_take_part_in_the_first_rounds_only() -> None:
    plan = Plan(rounds=5, min_rounds=2, min_sample_s=0.0, settle_s=0.0, slow_s=0.01)
    calls = {"quick": 0, "slow": 0}

    def slow() -> None:
        calls["slow"] += 1
        time.sleep(0.02)

    def quick() -> None:
        calls["quick"] += 1

    timings = measure({"slow": slow, "quick": quick}, plan)
    assert (timings["slow"].wall.count, timings["quick"].wall.count) == (2, 5)
    assert calls["slow"] == 3  # one to warm up
    (ratio,) = ratios(timings, "quick")
    expected = max(
        a / b for a, b in zip(timings["slow"].wall_s, timings["quick"].wall_s[:2], strict=True)
    )
    assert ratio.wall.maximum == pytest.approx(expected) and ratio.wall.count == 2


def test_slow_alternatives_do_not_use_up_the_budget() -> None:
    plan = Plan(rounds=4, min_rounds=1, min_sample_s=0.0, slow_s=0.01, budget_s=0.015)
    timings = measure({"slow": lambda: time.sleep(0.02), "quick": lambda: None}, plan)
    assert timings["quick"].wall.count == 4


def test_slow_alternatives_alone_take_the_least_rounds() -> None:
    plan = Plan(rounds=5, min_rounds=2, min_sample_s=0.0, settle_s=0.0, slow_s=0.001)
    timings = measure({name: partial(time.sleep, 0.002) for name in "ab"}, plan)
    assert [timings[name].wall.count for name in "ab"] == [2, 2]
