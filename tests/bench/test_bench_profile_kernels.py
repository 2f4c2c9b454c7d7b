import json

import pytest
import torch

import sparsegnn as sg
from bench import profile_kernels
from bench.graphs import GraphInput


def test_case_names_are_those_of_the_grid() -> None:
    for family in profile_kernels.REDUCE:
        assert profile_kernels.parse(f"{family}/power-law-170000-2300000/width=64")[1] == 64
    for wrong in (
        "spmm",
        "spmm-bf16/pubmed/width=16",
        "spmm/nowhere/width=64",
        "sddmm/pubmed/width=1",
        "spmm/pubmed/wide",
    ):
        with pytest.raises(ValueError, match="case must be spmm/GRAPH/width=W"):
            profile_kernels.parse(wrong)


def test_near_columns_keep_the_degrees() -> None:
    graph = sg.Graph.from_edge_index(torch.tensor([[0, 1, 2, 2], [1, 1, 0, 2]]), 3)
    x = torch.tensor([[2.0], [3.0], [5.0]])
    near = profile_kernels.with_near_columns(graph)
    expected = 2.0 * graph.in_degree().float().unsqueeze(1)
    torch.testing.assert_close(sg.ops.spmm(near, x), expected)


def test_counters_are_read_per_call() -> None:
    text = "# started\n\n1000,,cycles,5,100.00,,\n<not supported>,,LLC-load-misses,0,0,,\n"
    assert profile_kernels.read_counters(text, 10) == {"cycles": 100.0}
    assert profile_kernels.read_counters("", 10) == "this machine gives perf no hardware counters."


def test_a_profile_holds_bytes_and_bound(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = GraphInput("", 50, 300)
    monkeypatch.setattr(profile_kernels, "GRAPHS", (small,))
    monkeypatch.setattr(profile_kernels, "counters", lambda run: "none")
    copy = profile_kernels.copy_bandwidth(mebibytes=1, rounds=2)
    monkeypatch.setattr(profile_kernels, "copy_bandwidth", lambda: copy)
    names = [f"{family}/{small.name}/width=8" for family in ("spmm", "spmm-max")]
    profile_kernels.main([*names, "--bf16", "--threads", "1"])
    found, largest = json.loads(capsys.readouterr().out)["profiles"]
    assert [found["case"], largest["case"]] == names and largest["milliseconds_result"] > 0
    assert found["features"] == "bf16" and found["milliseconds"] > 0
    assert found["gathered_bytes"] == 300 * (8 * 2 + 8) + 51 * 4 + 50 * 16
