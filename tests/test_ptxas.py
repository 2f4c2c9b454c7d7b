"""Register budget of the CUDA kernels, and the checker that enforces it."""

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "csrc" / "tests" / "check_ptxas.py"

REPORT = """
ptxas info    : Compiling entry function '_ZN4sgnn11spmm_kernelIfiLb1EEEvi' for 'sm_90'
ptxas info    : Function properties for _ZN4sgnn11spmm_kernelIfiLb1EEEvi
    0 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads
ptxas info    : Used 64 registers, used 0 barriers, 1024 bytes smem
"""


@pytest.fixture(scope="module")
def checker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_ptxas", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["check_ptxas"] = module
    spec.loader.exec_module(module)
    return module


def test_report_is_parsed(checker: ModuleType) -> None:
    (kernel,) = checker.parse_report(REPORT)
    assert kernel.name == "spmm_kernel<float, int, true>"
    assert (kernel.arch, kernel.registers, kernel.spilled_bytes) == ("sm_90", 64, 12)


def test_violations_are_named(checker: ModuleType) -> None:
    kernel = checker.Kernel("spmm_kernel<float, int, true>", "sm_90", 64, 0)
    spilled = checker.Kernel("sddmm_kernel<float, int, true>", "sm_90", 32, 12)
    assert checker.violations([kernel], {"spmm_kernel<*, true>": 64}) == []
    (over,) = checker.violations([kernel], {"spmm_kernel<*>": 63})
    assert "uses 64 registers, budget 63" in over
    (unknown, unused) = checker.violations([kernel], {"topk*": 64})
    assert "has no budget" in unknown and "matches no kernel" in unused
    (spill,) = checker.violations([spilled], {"sddmm*": 64})
    assert "spills 12 bytes" in spill


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("nvcc") is None, reason="nvcc is not installed")
def test_kernels_are_within_budget(checker: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert checker.main(["--arch", "90"]) == 0, capsys.readouterr().out
