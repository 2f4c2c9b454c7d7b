"""What runs on a GPU only, rehearsed on the CPU: the calls of its tests and of the sanitizer."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch

from bench.gpu.sanitizer_subset import run_all
from sparsegnn import ops

PATH = Path(__file__).resolve().parents[1] / "gpu" / "every_operator.py"
# Layouts, indices and functions that are no kernel, or synchronise with the device.
NO_CASE = {
    "TemporalEdges",
    "WeightedEdges",
    "gcn_hidden",
    "grow_scores_topk",
    "hard_concrete_open",
    "nm_mask",
    "pack_panels",
    "semi_structured",
    "spgemm",
    "topk_matrix",
}


def every_operator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("every_operator", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CALLS = every_operator()


@pytest.mark.parametrize("name", CALLS.NAMES)
def test_the_calls_run_and_repeat(name: str) -> None:
    torch.manual_seed(0)
    run = CALLS.operators("cpu")[name]
    x = torch.randn(CALLS.NODES, CALLS.WIDTH)
    first, second = CALLS.flat(run(x)), CALLS.flat(run(x))
    assert first
    assert all(torch.equal(*pair) for pair in zip(first, second, strict=True))


def test_every_operator_has_a_call() -> None:
    assert sorted(CALLS.operators("cpu")) == sorted(CALLS.NAMES)
    called = {name.split()[0] for name in CALLS.NAMES}
    assert set(ops.__all__) - NO_CASE <= called


def test_the_subset_of_the_sanitizer_runs() -> None:
    run_all("cpu")
