"""The `make gpu` script on a machine without a GPU, and its parts that need none."""

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
MODULES = sorted(path.stem for path in (ROOT / "bench" / "gpu").glob("[a-z]*.py"))


@pytest.mark.parametrize("name", MODULES)
def test_module_imports(name: str) -> None:
    module = importlib.import_module(f"bench.gpu.{name}")
    assert module.__doc__


def test_without_a_gpu_it_says_so_and_succeeds() -> None:
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(ROOT / "bench" / "gpu" / "run.py")]
    done = subprocess.run(command, capture_output=True, text=True, env=hidden)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 1
    assert "CUDA" in lines[0] or "GPU" in lines[0]


def test_record_is_written_whole(tmp_path: Path) -> None:
    from bench.gpu.run import write_record

    path = write_record(tmp_path, {"device": "NVIDIA Test", "cases": []})
    assert path.name.startswith("gpu-nvidia-test-")
    assert [child.name for child in tmp_path.iterdir()] == [path.name]


def test_verdicts_of_the_sanitizer() -> None:
    from bench.gpu.sanitizer import ERRORS_FOUND, verdict

    assert verdict(0, "========= ERROR SUMMARY: 0 errors") == "clean"
    assert verdict(0, "========= RACECHECK SUMMARY: 0 hazards displayed") == "clean"
    assert verdict(ERRORS_FOUND, "========= ERROR SUMMARY: 3 errors") == "errors"
    assert verdict(1, "Device not supported\n") == "could not run: Device not supported"
    assert verdict(0, "") == "could not run: exit status 0"


def test_summary_has_median_and_quartiles() -> None:
    from bench.gpu.timing import summarize

    summary = summarize([3.0, 1.0, 2.0])
    assert (summary["median_s"], summary["q1_s"], summary["q3_s"]) == (2.0, 1.5, 2.5)


def test_wrong_results_are_not_timed() -> None:
    from bench.gpu.checks import checked

    expected = torch.ones(3, dtype=torch.float64)
    with pytest.raises(AssertionError, match="is off by"):
        checked({"peer": lambda: torch.zeros(3)}, expected, torch.float32)

    def missing() -> torch.Tensor:
        raise RuntimeError("not implemented for 'BFloat16'")

    assert checked({"peer": missing}, expected, torch.float32) == {}


@pytest.mark.slow
def test_every_section_runs_on_the_cpu(tmp_path: Path) -> None:
    """The whole benchmark at tiny sizes: what a short run on a GPU must not stumble over."""
    import json

    command = [sys.executable, str(ROOT / "bench" / "gpu" / "run.py"), "--rehearse"]
    done = subprocess.run([*command, "--out", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    (path,) = tmp_path.iterdir()
    record = json.loads(path.read_text())
    for name, section in record["sections"].items():
        assert section["cases"] and not section["errors"], name
    assert {"bar", "goal", "measured", "met"} <= set(record["bars"][0])


def test_a_failing_case_and_a_failing_section_are_recorded() -> None:
    from bench.gpu.sections import Cases, Section, run_section
    from bench.gpu.setting import REHEARSAL, Setting

    def broken() -> dict[str, object]:
        raise ValueError("no such kernel")

    def cases(setting: Setting) -> Cases:
        yield "first", broken
        yield "second", lambda: {"value": 1.5}
        raise RuntimeError("out of graphs")

    result = run_section(Section("s", 60.0, cases), REHEARSAL, float("inf"))
    assert result["cases"] == [{"case": "second", "value": 1.5}]
    assert [error["case"] for error in result["errors"]] == ["first", "s"]
    assert "no such kernel" in result["errors"][0]["error"]
    late = run_section(Section("s", 60.0, cases), REHEARSAL, 0.0)
    assert late["left_out"] == ["first", "second"] and late["cases"] == []


def test_bytes_of_an_aggregation() -> None:
    from bench.gpu.model import gathered_bytes, spmm_bytes

    assert gathered_bytes(edges=10, width=4, element=2) == 80
    assert spmm_bytes(nodes=3, edges=10, width=4, element=2) == 80 + 4 * 14 + 24


def test_gather_rate_is_interpolated() -> None:
    from bench.gpu.model import rate_at

    points = [(10, 64, 5.0), (1000, 64, 1.0), (10, 256, 8.0), (1000, 256, 2.0)]
    assert rate_at(points, 10, 64) == 5.0
    assert rate_at(points, 100, 64) == pytest.approx(3.0)
    assert rate_at(points, 1, 300) == 8.0
    assert rate_at(points, 10**9, 300) == 2.0
    assert rate_at(points, 10, 16) == 5.0
    assert rate_at([], 10, 16) is None


def timed(**medians: float) -> dict[str, dict[str, float]]:
    names = {"ours": "sparsegnn", "torch": "torch.sparse int64"}
    return {names.get(name, name): {"median_s": value} for name, value in medians.items()}


def test_bars_are_judged() -> None:
    from bench.gpu.bars import judge

    cell = {"graph": "g", "footprint_bytes": 10, "row_bytes": 64, "moved_bytes": 80}
    spmm = [
        {**cell, "dtype": "float32", "width": 32, "timings": timed(ours=1.0, torch=2.0)},
        {**cell, "dtype": "float32", "width": 64, "timings": timed(ours=2.0, torch=1.0)},
        {**cell, "dtype": "bfloat16", "width": 32, "timings": timed(ours=0.5)},
        {**cell, "dtype": "float32", "width": 16, "timings": timed(ours=9.0, torch=9.0)},
    ]
    bandwidth = [{"footprint_bytes": 10, "row_bytes": 64, "bytes_per_s": 100.0}]
    sections = {"spmm": {"cases": spmm}, "bandwidth": {"cases": bandwidth}}
    verdicts = {verdict["bar"]: verdict for verdict in judge(sections)}
    mean = verdicts["spmm float32 against torch.sparse"]
    assert mean["measured"] == pytest.approx(1.0) and mean["met"] is False
    worst = verdicts["spmm float32 never slower"]
    assert worst["measured"] == 0.5 and worst["cases"] == 3
    half = verdicts["spmm bfloat16 against torch.sparse float32"]
    assert half["measured"] == pytest.approx(4.0) and half["met"] is True
    rate = verdicts["spmm of the measured gather rate"]
    assert rate["measured"] == pytest.approx((0.8 * 0.4 * 1.6) ** (1 / 3))
    assert verdicts["learnable mask step against PyG"]["met"] is None


def test_generated_graphs_have_the_tensors_of_built_ones() -> None:
    from bench.gpu.setting import REHEARSAL
    from bench.gpu.shapes import Shape, make_graph

    made = make_graph(Shape("s", 40, 300), REHEARSAL)
    import sparsegnn as sg

    built = sg.Graph.from_edge_index(made.edge_index, 40)
    for left, right in zip(made.csr, built.csr, strict=True):
        assert (left is None) == (right is None)
        assert left is None or torch.equal(left, right)  # type: ignore[arg-type]


class FakeCusparse:
    """Answers like the library and remembers what was called."""

    def __init__(self, failing: str = "") -> None:
        self.calls: list[tuple[str, tuple[object, ...]]] = []
        self.failing = failing

    def __getattr__(self, name: str) -> object:
        def call(*arguments: object) -> int:
            self.calls.append((name, arguments))
            return int(name == self.failing)

        return call


def test_cusparse_is_called_in_order() -> None:
    from bench.gpu.cusparse import CusparseSpmm
    from bench.gpu.setting import REHEARSAL
    from bench.gpu.shapes import Shape, make_graph

    graph, library = make_graph(Shape("s", 40, 300), REHEARSAL), FakeCusparse()
    run = CusparseSpmm(graph, torch.ones(40, 8), "ALG2", library)
    assert run().shape == (40, 8)
    names = [name.removeprefix("cusparse") for name, _ in library.calls]
    prepared = ["Create", "SetStream", "CreateCsr", "CreateDnMat", "CreateDnMat"]
    assert names == [*prepared, "SpMM_bufferSize", "SpMM_preprocess", "SpMM"]
    assert [len(arguments) for _, arguments in library.calls] == [1, 2, 11, 7, 7, 11, 11, 11]
    with pytest.raises(RuntimeError, match="cusparseSpMM_preprocess answered with status 1"):
        CusparseSpmm(graph, torch.ones(40, 8), "ALG2", FakeCusparse("cusparseSpMM_preprocess"))


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="nvcc is not installed")
def test_the_gather_kernel_compiles(tmp_path: Path) -> None:
    from bench.gpu.gather_kernel import SOURCE

    (tmp_path / "gather.cu").write_text(SOURCE)
    command = [
        "nvcc",
        "-arch=sm_90",
        "-cubin",
        "-o",
        f"{tmp_path}/a.cubin",
        f"{tmp_path}/gather.cu",
    ]
    subprocess.run(command, check=True, capture_output=True)
