import math

import pytest
import torch
from torch import Tensor

from bench.cases import Case, MismatchError, agreement, run_case
from bench.harness import Plan

ONE = Plan(rounds=2, warmup=1, min_sample_s=0.0, settle_s=0.0)


def _case(result: object, tolerance: float = 1e-3) -> Case:
    def reference() -> tuple[Tensor]:
        return (torch.tensor([1.0, 100.0], dtype=torch.float64),)

    return Case("name", {"sparsegnn": lambda: result}, reference=reference, tolerance=tolerance)


def test_errors_are_relative_to_the_largest_value() -> None:
    errors = agreement(_case(torch.tensor([1.05, 100.0])))
    assert errors["sparsegnn"] == pytest.approx(5e-4, rel=1e-3)


@pytest.mark.parametrize(
    "result",
    [
        torch.tensor([1.5, 100.0]),
        torch.tensor([1.0, math.nan]),
        torch.tensor([1.0, math.inf]),
        torch.tensor([[1.0, 100.0]]),
    ],
)
def test_wrong_results_are_not_timed(result: Tensor) -> None:
    with pytest.raises(MismatchError, match=r"name: expected sparsegnn within 0\.001"):
        run_case(_case(result), ONE)


def test_results_of_another_kind_are_an_error() -> None:
    with pytest.raises(TypeError, match="result: expected a tensor"):
        agreement(_case([1.0, 2.0]))
    with pytest.raises(ValueError, match="outputs: expected 1, got 2"):
        agreement(_case((torch.ones(2), torch.ones(2))))


def test_an_alternative_can_have_its_own_reference() -> None:
    case = Case(
        "name",
        {"sparsegnn": lambda: torch.ones(3), "other": lambda: torch.zeros(3)},
        reference=lambda: (torch.ones(3),),
        references={"other": lambda: (torch.zeros(3),)},
        tolerance=0.0,
    )
    assert agreement(case) == {"sparsegnn": 0.0, "other": 0.0}
    assert list(agreement(case, only="other")) == ["other"]


def test_bool_results_are_compared() -> None:
    case = Case(
        "name",
        {"sparsegnn": lambda: torch.tensor([True, False])},
        reference=lambda: (torch.tensor([True, True]),),
        tolerance=0.0,
    )
    with pytest.raises(MismatchError):
        agreement(case)


def test_the_thread_count_is_restored() -> None:
    before = torch.get_num_threads()
    seen: list[int] = []
    case = Case("name", {"sparsegnn": lambda: seen.append(torch.get_num_threads())}, threads=1)
    assert run_case(case, ONE).threads == 1
    assert set(seen) == {1}
    assert torch.get_num_threads() == before


def test_a_case_without_subject_has_no_ratios() -> None:
    record = run_case(Case("name", {"a": lambda: None, "b": lambda: None}, subject=None), ONE)
    assert record.ratios == []
    assert set(record.timings) == {"a", "b"}
